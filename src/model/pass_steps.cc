#include "model/pass_steps.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::model {

int64_t token_count_of(std::span<const Piece> pieces) {
  int64_t count = 0;
  for (const Piece& piece : pieces) count += std::ssize(piece.tokens);
  return count;
}

int64_t length_after(std::span<const Piece> pieces, const kv::CacheLayout& layout) {
  int64_t length_max = 0;
  for (const Piece& piece : pieces) {
    KVASIR_CHECK(&piece.sequence->layout() == &layout, "a sequence of this model's cache");
    KVASIR_CHECK((piece.logits != nullptr) == (piece.logits_of != LogitsOf::kNone),
                 "memory for the logits asked for, and for no others");
    length_max = std::max(length_max, piece.sequence->length() + std::ssize(piece.tokens));
  }
  return length_max;
}

Status begin_appends(std::span<const Piece> pieces) {
  for (size_t s = 0; s < pieces.size(); ++s) {
    const Piece& piece = pieces[s];
    if (Status begun = piece.sequence->begin_append(piece.tokens); !begun.ok()) {
      for (size_t undo = 0; undo < s; ++undo) pieces[undo].sequence->cancel_append();
      return begun;
    }
  }
  return ok_status();
}

void finish_appends(std::span<const Piece> pieces) {
  for (const Piece& piece : pieces) piece.sequence->finish_append();
}

void report_picks(const PickSink& sink, int64_t layer, const ops::Batch& batch,
                  const ops::Picks& picks) {
  if (!sink) return;
  for (int64_t t = 0; t < batch.token_count(); ++t) {
    sink(layer, batch.token(t).position, {picks.rows.row(t), static_cast<size_t>(picks.counts[t])});
  }
}

}  // namespace kvasir::model
