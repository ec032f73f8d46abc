#include "model/deepseek_v4/batch.h"

#include "base/check.h"

namespace kvasir::model::deepseek_v4 {

Batch::Batch(const Config& config, int64_t token_capacity)
    : token_capacity_(token_capacity),
      window_rope_(rope_frequencies(config.window_rope, config.rope_dim), token_capacity),
      compressed_rope_(rope_frequencies(config.compressed_rope, config.rope_dim), token_capacity),
      csa_{{},
           RopeTable(rope_frequencies(config.compressed_rope, config.rope_dim), token_capacity)},
      hca_{{},
           RopeTable(rope_frequencies(config.compressed_rope, config.rope_dim), token_capacity)} {
  const auto capacity = static_cast<size_t>(token_capacity);
  pieces_.reserve(capacity);
  first_tokens_.reserve(capacity);
  tokens_.reserve(capacity);
  // A single token can complete a row, so there are at most as many rows as tokens.
  csa_.rows.reserve(capacity);
  hca_.rows.reserve(capacity);
}

void Batch::fill(std::span<const Piece> pieces) {
  pieces_.assign(pieces.begin(), pieces.end());
  first_tokens_.clear();
  tokens_.clear();
  window_rope_.clear();
  compressed_rope_.clear();
  for (CompletedRows* completed : {&csa_, &hca_}) {
    completed->rows.clear();
    completed->rope.clear();
  }
  for (size_t s = 0; s < pieces.size(); ++s) {
    const Piece& piece = pieces[s];
    const auto index = static_cast<int32_t>(s);
    const int64_t start = piece.sequence->length();
    const int64_t end = start + std::ssize(piece.tokens);
    KVASIR_CHECK(start < end && token_count() + end - start <= token_capacity_,
                 "a pass has tokens, and no more than its capacity");
    first_tokens_.push_back(token_count());
    for (int64_t position = start; position < end; ++position) {
      tokens_.push_back({piece.tokens[static_cast<size_t>(position - start)], index, position});
      window_rope_.add(position);
      compressed_rope_.add(position);
    }
    add_rows(csa_, kCsaRatio, index, start, end);
    add_rows(hca_, kHcaRatio, index, start, end);
  }
}

void Batch::add_rows(CompletedRows& completed, int64_t ratio, int32_t piece, int64_t start,
                     int64_t end) {
  for (int64_t row = start / ratio; row < end / ratio; ++row) {
    completed.rows.push_back({piece, row, completed.rope.add(row * ratio)});
  }
}

std::span<const BatchRow> Batch::completed_rows(LayerKind kind) const {
  KVASIR_CHECK(kind != LayerKind::kWindow, "window layers have no compressed rows");
  return kind == LayerKind::kCsa ? csa_.rows : hca_.rows;
}

const RopeTable& Batch::row_rope(LayerKind kind) const {
  return kind == LayerKind::kCsa ? csa_.rope : hca_.rope;
}

}  // namespace kvasir::model::deepseek_v4
