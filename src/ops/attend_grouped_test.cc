// Keys and values that groups of heads share: a plain loop's sums within rounding, and the same
// bits however tokens, heads and the segments of the past are shared out.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "ops/test_support.h"

namespace kvasir::ops {
namespace {

constexpr int64_t kDim = 16;
constexpr int64_t kVectors = 3;
constexpr int64_t kHeads = 6;
constexpr int64_t kRowFloats = kVectors * kDim;
constexpr int64_t kRowBytes = kRowFloats * 4;
constexpr int64_t kPast = 1530;  // several segments, and the end of one among the new tokens
constexpr int64_t kTokens = 12;
constexpr float kScale = 0.25f;

const float* at(const std::vector<float>& floats, int64_t index) { return floats.data() + index; }

// The parameter is the window in tokens; 0: everything is seen.
class GroupedAttention : public ::testing::TestWithParam<int64_t> {
 protected:
  // The last kTokens tokens, in passes of `count`.
  std::vector<float> attend(int thread_count, int64_t count) {
    Ops ops{kernels::best_instruction_set().table, thread_count, 64,
            grouped_scratch_floats(*layout_, kDim)};
    std::vector<float> attended(static_cast<size_t>(kTokens * kHeads * kDim));
    for (int64_t first = 0; first < kTokens; first += count) {
      attend_pass(ops, first, count, attended.data() + first * kHeads * kDim);
    }
    return attended;
  }

  // The formula in float64.
  double expected(int64_t token, int64_t head, int64_t dim) const {
    const int64_t position = kPast + token;
    const int64_t vector = head / (kHeads / kVectors);
    const float* query = at(queries_, (token * kHeads + head) * kDim);
    double sum = std::exp(*at(sinks_, head));
    double weighted = 0;
    for (int64_t p = is_window() ? position - GetParam() + 1 : 0; p <= position; ++p) {
      const int64_t row = p * kRowFloats + vector * kDim;
      double score = 0;
      for (int64_t i = 0; i < kDim; ++i) score += double{query[i]} * *at(keys_, row + i);
      sum += std::exp(kScale * score);
      weighted += std::exp(kScale * score) * *at(values_, row + dim);
    }
    return weighted / sum;
  }

 private:
  bool is_window() const { return GetParam() > 0; }

  void attend_pass(Ops& ops, int64_t first, int64_t count, float* attended) {
    kv::Sequence sequence = kv::Sequence::create(layout_, account_).value();
    append(sequence, kPast + first);
    sequence.finish_append();
    Batch batch(kTokens);
    batch.add(sequence, std::vector<int32_t>(static_cast<size_t>(count)));
    append(sequence, count);
    const auto new_rows = [&](const std::vector<float>& floats) {
      return view_of(reinterpret_cast<const std::byte*>(at(floats, (kPast + first) * kRowFloats)),
                     count, kRowBytes);
    };
    ops.attend_grouped(
        {.batch = batch,
         .key_stream = 0,
         .value_stream = 1,
         .value_dim = kDim,
         .new_keys = new_rows(keys_),
         .new_values = new_rows(values_),
         .queries = view_of(at(queries_, first * kHeads * kDim), count, kHeads * kDim),
         .sinks = sinks_.data(),
         .scale = kScale,
         .attended = view_of(attended, count, kHeads * kDim)});
  }

  // Rows of a window enter the ring of a pass that is over only.
  void append(kv::Sequence& sequence, int64_t count) const {
    const int64_t begin = sequence.length();
    KVASIR_CHECK(sequence.begin_append(std::vector<int32_t>(static_cast<size_t>(count))).ok(),
                 "memory for a test");
    if (is_window() && begin > 0) return;
    for (int64_t position = begin; position < begin + count; ++position) {
      for (const int64_t stream : {0, 1}) {
        std::memcpy(is_window() ? sequence.window_row(stream, position)
                                : sequence.writable_row(stream, position),
                    at(stream == 0 ? keys_ : values_, position * kRowFloats), kRowBytes);
      }
    }
  }

  static std::shared_ptr<const kv::CacheLayout> make_layout(int64_t window_tokens) {
    kv::Stream keys{.role = kv::Role::kKeys,
                    .reach = window_tokens > 0 ? kv::Reach::kWindow : kv::Reach::kAll,
                    .vectors = kVectors,
                    .width = kDim,
                    .window_tokens = window_tokens,
                    .codec = kernels::CodecId::kF32};
    kv::Stream values = keys;
    values.role = kv::Role::kValues;
    return std::make_shared<const kv::CacheLayout>(
        kv::make_layout({.layers = {{.streams = {keys, values}}}}));
  }

  TestCache random_;
  std::shared_ptr<const kv::CacheLayout> layout_ = make_layout(GetParam());
  std::shared_ptr<kv::MemoryAccount> account_ = std::make_shared<kv::MemoryAccount>();
  std::vector<float> keys_ = random_.normals((kPast + kTokens) * kRowFloats);
  std::vector<float> values_ = random_.normals((kPast + kTokens) * kRowFloats);
  std::vector<float> queries_ = random_.normals(kTokens * kHeads * kDim);
  std::vector<float> sinks_ = random_.normals(kHeads);
};

// 7 and 256 rows lie in one segment or two, 600 in three or four.
INSTANTIATE_TEST_SUITE_P(Windows, GroupedAttention, ::testing::Values(0, 7, 256, 600));

TEST_P(GroupedAttention, IsTheFormula) {
  const std::vector<float> attended = attend(2, kTokens);
  for (int64_t token = 0; token < kTokens; ++token) {
    for (int64_t head = 0; head < kHeads; ++head) {
      for (int64_t dim = 0; dim < kDim; ++dim) {
        const float found = *at(attended, (token * kHeads + head) * kDim + dim);
        ASSERT_NEAR(found, expected(token, head, dim), 1e-5) << token << " " << head << " " << dim;
      }
    }
  }
}

// One thread takes whole groups; many share out the segments of few.
TEST_P(GroupedAttention, HasTheSameBitsHoweverItIsSharedOut) {
  const std::vector<float> whole = attend(1, kTokens);
  for (const int thread_count : {1, 2, 7, 30}) {
    for (const int64_t count : {int64_t{1}, int64_t{4}, kTokens}) {
      EXPECT_EQ(attend(thread_count, count), whole) << thread_count << " threads, " << count;
    }
  }
}

}  // namespace
}  // namespace kvasir::ops
