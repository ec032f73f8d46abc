// A Compressor pools groups of tokens into one row each (deepseek_v4.md section 4). It makes the
// rows of CSA and HCA layers and, with its own weights and width, the index keys.
//
// A group's tokens come from this pass or, where the group began earlier, from the sequence's ring.
// The entries and their order are the same either way, so chunking leaves no trace in the bits.
#pragma once

#include <cstdint>

#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

class Compressor {
 public:
  enum class Target : uint8_t { kRows, kKeys };

  // layer: of a compressed kind; kKeys needs a CSA layer.
  Compressor(Pass& pass, int64_t layer, Target target, const CompressorWeights& weights);

  // From the sub-layer input of every token of the pass: writes the rows (or keys) that the pass
  // completes into the sequences and keeps what later groups need in their rings.
  void run();

 private:
  void project();
  void write_row(const BatchRow& row, float* pooled);
  void pool(const BatchRow& row, float* pooled);
  void keep_newest(int64_t piece);

  kv::PoolingRing ring_of(int64_t piece) const;
  int64_t columns() const { return width_ * halves_; }

  Pass& pass_;
  int64_t stream_;  // that the rows go to
  LayerKind kind_;
  Target target_;
  const CompressorWeights& weights_;
  int64_t ratio_;
  int64_t halves_;  // 2 where a row pools the previous group too
  int64_t width_;   // d or di
};

}  // namespace kvasir::model::deepseek_v4
