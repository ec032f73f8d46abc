// A Batch holds the tokens of one forward pass with everything that depends on their positions
// alone: rotary angles and the compressed rows they complete. It is filled anew for every pass; the
// memory is kept.
#pragma once

#include <cstdint>
#include <span>

#include "model/deepseek_v4/config.h"
#include "model/model.h"
#include "ops/batch.h"
#include "ops/rope.h"

namespace kvasir::model::deepseek_v4 {

struct Batch {
  Batch(const Config& config, int64_t token_capacity);

  // Takes the pieces of a pass. REQUIRES: no more tokens than token_capacity.
  void fill(std::span<const Piece> pieces);

  // Returns the angles of every token, by flat token index.
  const ops::RopeTable& token_rope(LayerKind kind) const {
    return kind == LayerKind::kWindow ? window_rope : compressed_rope;
  }
  // Returns the rows that the batch completes. REQUIRES: a compressed kind.
  const ops::PooledRows& pooled_rows(LayerKind kind) const;

  ops::Batch tokens;
  ops::RopeTable window_rope;
  ops::RopeTable compressed_rope;
  ops::PooledRows csa_rows;
  ops::PooledRows hca_rows;
};

}  // namespace kvasir::model::deepseek_v4
