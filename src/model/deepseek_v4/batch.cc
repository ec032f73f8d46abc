#include "model/deepseek_v4/batch.h"

#include "base/check.h"

namespace kvasir::model::deepseek_v4 {

Batch::Batch(const Config& config, int64_t token_capacity)
    : tokens(token_capacity),
      window_rope(ops::rope_frequencies(config.window_rope, config.rope_dim), token_capacity),
      compressed_rope(ops::rope_frequencies(config.compressed_rope, config.rope_dim),
                      token_capacity),
      csa_rows(kCsaRatio, ops::rope_frequencies(config.compressed_rope, config.rope_dim),
               token_capacity),
      hca_rows(kHcaRatio, ops::rope_frequencies(config.compressed_rope, config.rope_dim),
               token_capacity) {}

void Batch::fill(std::span<const Piece> pieces) {
  tokens.clear();
  window_rope.clear();
  compressed_rope.clear();
  for (const Piece& piece : pieces) tokens.add(*piece.sequence, piece.tokens);
  for (int64_t t = 0; t < tokens.token_count(); ++t) {
    window_rope.add(tokens.token(t).position);
    compressed_rope.add(tokens.token(t).position);
  }
  KVASIR_CHECK(
      window_rope.size() == tokens.token_count() && compressed_rope.size() == tokens.token_count(),
      "angles for every token, by its flat index");
  csa_rows.fill(tokens);
  hca_rows.fill(tokens);
}

const ops::PooledRows& Batch::pooled_rows(LayerKind kind) const {
  KVASIR_CHECK(kind != LayerKind::kWindow, "window layers have no compressed rows");
  return kind == LayerKind::kCsa ? csa_rows : hca_rows;
}

}  // namespace kvasir::model::deepseek_v4
