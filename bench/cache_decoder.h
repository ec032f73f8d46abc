// A CacheDecoder runs the work on the cache of one token after the other, layer by layer, and times
// it. It works through the same steps as a model (ops.h); the matrix products are left out. One
// thread; the steps share their work out among threads of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "bench/long_decode.h"
#include "bench/made_up_rows.h"
#include "bench/pick_shares.h"
#include "kv/row_cache.h"
#include "ops/ops.h"

namespace kvasir::bench {

class CacheDecoder {
 public:
  // length_max: tokens of the sequence in the end. row_cache: null where all rows are in memory.
  // Options and row cache outlive the decoder.
  CacheDecoder(const LongDecodeOptions& options, const kv::CacheLayout& layout, int64_t length_max,
               kv::RowCache* row_cache);

  // Takes one token through all layers' caches. REQUIRES: its rows are written, and the sequence
  // does not count it yet. Error: rows could not be read.
  Status step(kv::Sequence& sequence, int32_t token);

  // Measures how fast the cores multiply bytes in registers, for as long as a layer's scan or so.
  // It is called between the tokens, as a machine may be faster at one time than at another.
  void measure_byte_rate();

  void begin_measuring();
  // Returns what was measured since, for that many tokens.
  LongDecode result(int64_t token_count) const;

 private:
  // Multiply-adds of bytes, and how long they took.
  struct ByteRate {
    int64_t products = 0;
    double ms = 0;
  };

  kv::RowCacheStats stats() const;
  ops::Picks picks();
  void pick(int64_t layer, int64_t stream);
  Status fetch(int64_t stream);
  void attend(const model::deepseek_v4::LayerStreams& streams);

  const LongDecodeOptions& options_;
  const model::deepseek_v4::Geometry geometry_;
  kv::RowCache* row_cache_;
  ops::Ops ops_;
  ops::Batch batch_{1};
  Random random_{5};
  MadeUpQueries queries_;
  PickShares pick_shares_;
  AlignedBuffer<float> query_;
  AlignedBuffer<float> sinks_;
  AlignedBuffer<float> attended_;
  AlignedBuffer<std::byte> new_row_;
  AlignedBuffer<float> head_weights_;
  std::vector<AlignedBuffer<std::byte>> encoded_;
  std::vector<AlignedBuffer<float>> scores_;
  AlignedBuffer<int32_t> picked_;  // by the layer at hand
  int32_t picked_count_ = 0;
  AlignedBuffer<const std::byte*> places_;
  std::vector<AlignedBuffer<const std::byte*>> row_lists_;  // [threads]
  LongDecode times_;
  kv::RowCacheStats stats_before_;
  int64_t scan_products_ = 0;
  ByteRate peak_;
};

}  // namespace kvasir::bench
