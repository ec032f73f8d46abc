// Picking and attending: the same rows and bits however the work is shared out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/picked_rows.h"
#include "ops/test_support.h"

namespace kvasir::ops {
namespace {

constexpr int64_t kLength = 3000;  // more than one task of a scan
constexpr int64_t kTopK = 24;
constexpr int64_t kHeads = 6;

struct Picked {
  std::vector<int32_t> rows;
  std::vector<int32_t> counts;
  std::vector<const std::byte*> places;

  explicit Picked(int64_t n)
      : rows(static_cast<size_t>(n * kTopK)), counts(static_cast<size_t>(n)), places(rows.size()) {}
  Picks view() {
    const int64_t n = std::ssize(counts);
    return {.rows = view_of(rows.data(), n, kTopK),
            .counts = counts.data(),
            .places = view_of(places.data(), n, kTopK)};
  }
};

template <class T>
std::vector<AlignedBuffer<T>> per_thread(int thread_count, int64_t size) {
  std::vector<AlignedBuffer<T>> buffers;
  for (int i = 0; i < thread_count; ++i) buffers.emplace_back(size);
  return buffers;
}

class AttentionSteps : public ::testing::Test {
 protected:
  void fill(int64_t n) {
    batch_.clear();
    batch_.add(sequence_, std::vector<int32_t>(static_cast<size_t>(n)));
  }

  Picked pick(int thread_count) {
    const int64_t n = batch_.token_count();
    Ops ops = make_ops(thread_count);
    Picked picked(n);
    const int64_t at_once = kernels::index_queries_at_once(kHeads);
    auto encoded = per_thread<std::byte>(
        thread_count,
        at_once * kernels::index_query_bytes(batch_.stream(TestCache::kKeys).format, kHeads));
    auto scores = per_thread<float>(thread_count, at_once * kLength);
    ops.pick_rows({.batch = batch_,
                   .stream = TestCache::kKeys,
                   .head_count = kHeads,
                   .queries = view_of(index_queries_.data(), n, kHeads * kKeyDim),
                   .head_weights = view_of(head_weights_.data(), n, kHeads),
                   .encoded_queries = encoded,
                   .scores = scores,
                   .picks = picked.view()});
    return picked;
  }

  std::vector<float> attend(int thread_count, Picked picked, TokenRange tokens) {
    const int64_t n = batch_.token_count();
    Ops ops = make_ops(thread_count);
    std::vector<float> attended(static_cast<size_t>(n * kHeads * kRowDim));
    auto row_lists = per_thread<const std::byte*>(thread_count, kLength);
    const auto* new_rows = reinterpret_cast<const std::byte*>(new_rows_.data());
    ops.attend({.batch = batch_,
                .seen = {.window_stream = TestCache::kWindow,
                         .new_rows = view_of(new_rows, n, kRowDim * 4),
                         .row_stream = TestCache::kRows,
                         .picks = picked.view()},
                .value_dim = kRowDim,
                .queries = view_of(queries_.data(), n, kHeads * kRowDim),
                .sinks = sinks_.data(),
                .attended = view_of(attended.data(), n, kHeads * kRowDim),
                .row_lists = row_lists},
               tokens);
    return attended;
  }

  static constexpr int64_t kTokensMax = 12;
  TestCache cache_;
  kv::Sequence sequence_ = cache_.sequence_of(kLength - kTokensMax);
  Batch batch_{kTokensMax};
  std::vector<float> index_queries_ = cache_.normals(kTokensMax * kHeads * kKeyDim);
  std::vector<float> head_weights_ = cache_.normals(kTokensMax * kHeads);
  std::vector<float> queries_ = cache_.normals(kTokensMax * kHeads * kRowDim);
  std::vector<float> new_rows_ = cache_.normals(kTokensMax * kRowDim);
  std::vector<float> sinks_ = cache_.normals(kHeads);
};

// One thread takes tokens; three threads at two tokens share out each one's keys.
TEST_F(AttentionSteps, PicksDoNotDependOnHowTheScanIsSharedOut) {
  fill(2);
  const Picked one = pick(1);
  const Picked shared = pick(3);
  EXPECT_EQ(one.rows, shared.rows);
  EXPECT_EQ(one.counts, (std::vector<int32_t>{kTopK, kTopK}));
  EXPECT_TRUE(std::is_sorted(one.rows.begin(), one.rows.begin() + kTopK));
}

TEST_F(AttentionSteps, ATokenThatSeesFewRowsPicksThemAll) {
  kv::Sequence sequence = cache_.sequence_of(4 * kPooledTokens);
  for (const int thread_count : {1, 3}) {
    batch_.clear();
    batch_.add(sequence, std::vector<int32_t>(1));
    const Picked picked = pick(thread_count);
    EXPECT_EQ(picked.counts[0], 4);
    EXPECT_EQ(std::vector<int32_t>(picked.rows.begin(), picked.rows.begin() + 4),
              (std::vector<int32_t>{0, 1, 2, 3}));
  }
}

// Threads share out tokens, or the heads of a token; a group of tokens gives what the whole gives.
TEST_F(AttentionSteps, TheSumDoesNotDependOnHowItIsSharedOut) {
  fill(kTokensMax);
  // The batch's own rows are not among those that can be picked here.
  Picked picked(kTokensMax);
  for (int64_t t = 0; t < kTokensMax; ++t) {
    picked.counts[static_cast<size_t>(t)] = 3;
    for (int32_t i = 0; i < 3; ++i) picked.view().rows.row(t)[i] = static_cast<int32_t>(t) + 7 * i;
  }
  const std::vector<float> whole = attend(1, picked, {0, kTokensMax});
  EXPECT_EQ(whole, attend(3, picked, {0, kTokensMax}));
  const std::vector<float> one = attend(4, picked, {5, 6});
  for (int64_t i = 5 * kHeads * kRowDim; i < 6 * kHeads * kRowDim; ++i) {
    ASSERT_EQ(whole[static_cast<size_t>(i)], one[static_cast<size_t>(i)]);
  }
}

// Without a window the picked rows are all, and their first numbers are their values: what a plain
// loop gives.
TEST_F(AttentionSteps, PickedRowsAloneAreAttended) {
  constexpr int64_t kValueDim = 10;
  constexpr int64_t kPicks = 5;
  constexpr float kScale = 0.3f;
  fill(3);
  Picked picked(3);
  for (int64_t t = 0; t < 3; ++t) {
    picked.counts[static_cast<size_t>(t)] = kPicks;
    for (int32_t i = 0; i < kPicks; ++i)
      picked.view().rows.row(t)[i] = static_cast<int32_t>(t) + 9 * i;
  }
  std::vector<float> attended(3 * kHeads * kValueDim);
  for (const int thread_count : {1, 4}) {
    Ops ops = make_ops(thread_count);
    auto row_lists = per_thread<const std::byte*>(thread_count, kPicks);
    ops.attend({.batch = batch_,
                .seen = {.row_stream = TestCache::kRows, .picks = picked.view()},
                .value_dim = kValueDim,
                .queries = view_of(queries_.data(), 3, kHeads * kRowDim),
                .scale = kScale,
                .attended = view_of(attended.data(), 3, kHeads * kValueDim),
                .row_lists = row_lists},
               {0, 3});
    for (int64_t head = 0; head < 3 * kHeads; ++head) {
      const float* query = &queries_[static_cast<size_t>(head * kRowDim)];
      double sum = 0;
      std::vector<double> expected(kValueDim);
      for (int64_t i = 0; i < kPicks; ++i) {
        std::vector<float> row(kRowDim);
        kernels::decode_row(batch_.stream(TestCache::kRows).format,
                            sequence_.row(TestCache::kRows, head / kHeads + 9 * i), row.data());
        double score = 0;
        for (size_t d = 0; d < row.size(); ++d) score += double{query[d]} * row[d];
        const double weight = std::exp(kScale * score);
        sum += weight;
        for (size_t d = 0; d < expected.size(); ++d) expected[d] += weight * row[d];
      }
      for (int64_t d = 0; d < kValueDim; ++d) {
        EXPECT_NEAR(attended[static_cast<size_t>(head * kValueDim + d)],
                    expected[static_cast<size_t>(d)] / sum, 1e-5);
      }
    }
  }
}

// Rows in memory need no reading: all tokens are ready at once.
TEST_F(AttentionSteps, PickedRowsInMemoryAreReadyAtOnce) {
  fill(3);
  Picked picked = pick(1);
  PickedRows rows(batch_, TestCache::kRows, picked.view(), nullptr);
  const TokenRange ready = rows.next().value();
  EXPECT_EQ(ready.begin, 0);
  EXPECT_EQ(ready.end, 3);
  const TokenRange rest = rows.next().value();
  EXPECT_EQ(rest.begin, rest.end);
}

TEST_F(AttentionSteps, ViewsOfTheWrongShapeAreABug) {
  fill(2);
  index_queries_.resize(static_cast<size_t>(kHeads * kKeyDim));
  Ops ops = make_ops(1);
  Picked picked(2);
  EXPECT_DEATH(ops.pick_rows({.batch = batch_,
                              .stream = TestCache::kKeys,
                              .head_count = kHeads,
                              .queries = view_of(index_queries_.data(), 1, kHeads * kKeyDim),
                              .head_weights = view_of(head_weights_.data(), 2, kHeads),
                              .picks = picked.view()}),
               "shapes of a pick");
}

}  // namespace
}  // namespace kvasir::ops
