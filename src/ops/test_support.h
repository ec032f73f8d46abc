// A TestCache makes sequences with random rows for tests. Its cache has one layer with a window,
// picked rows and their index keys, in float32.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "kernels/instruction_sets.h"
#include "kv/sequence.h"
#include "ops/ops.h"

namespace kvasir::ops {

inline constexpr int64_t kPooledTokens = 4;
inline constexpr int64_t kRowDim = 16;
inline constexpr int64_t kKeyDim = 32;

class TestCache {
 public:
  static constexpr int64_t kWindow = 0;
  static constexpr int64_t kRows = 1;
  static constexpr int64_t kKeys = 2;

  explicit TestCache(kv::Reach reach = kv::Reach::kPicked) {
    constexpr auto kF32 = kernels::CodecId::kF32;
    const kv::Stream window{
        .reach = kv::Reach::kWindow, .width = kRowDim, .window_tokens = 8, .codec = kF32};
    const kv::Stream rows{
        .reach = reach, .tokens_per_row = kPooledTokens, .width = kRowDim, .codec = kF32};
    const kv::Stream keys{.role = kv::Role::kIndexKeys,
                          .tokens_per_row = kPooledTokens,
                          .width = kKeyDim,
                          .codec = kF32};
    layout_ = std::make_shared<const kv::CacheLayout>(
        kv::make_layout({.layers = {{.streams = {window, rows, keys}}}}));
  }

  // Returns a sequence with random rows for that many tokens.
  kv::Sequence sequence_of(int64_t length) {
    kv::Sequence sequence =
        kv::Sequence::create(layout_, std::make_shared<kv::MemoryAccount>()).value();
    if (length == 0) return sequence;
    const std::vector<int32_t> tokens(static_cast<size_t>(length));
    KVASIR_CHECK(sequence.begin_append(tokens).ok(), "memory for a test");
    for (int64_t position = 0; position < length; ++position) {
      write(kWindow, sequence.window_row(kWindow, position));
    }
    for (const int64_t stream : {kRows, kKeys}) {
      for (int64_t row = 0; row < length / kPooledTokens; ++row) {
        write(stream, sequence.writable_row(stream, row));
      }
    }
    sequence.finish_append();
    return sequence;
  }

  std::vector<float> normals(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = normal_(random_);
    return values;
  }

 private:
  void write(int64_t stream, std::byte* row) {
    const kernels::RowFormat& format = layout_->streams[static_cast<size_t>(stream)].format;
    kernels::encode_row(format, normals(format.dim).data(), row);
  }

  std::shared_ptr<const kv::CacheLayout> layout_;
  std::mt19937 random_{1};
  std::normal_distribution<float> normal_;
};

inline Ops make_ops(int thread_count, int64_t matmul_cols_max = 64) {
  return {kernels::best_instruction_set().table, thread_count, matmul_cols_max,
          kernels::attend_scratch_floats({.codec = kernels::CodecId::kF32, .dim = kRowDim}, 0, 8)};
}

}  // namespace kvasir::ops
