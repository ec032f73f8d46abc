// These functions are the steps of a forward pass that all families take alike: tokens enter their
// sequences, and rows of the output become logits. They own nothing; one thread.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/weight_matrix.h"
#include "kvasir/result.h"
#include "model/model.h"
#include "ops/ops.h"

namespace kvasir::model {

// The length that the longest sequence will have. REQUIRES: sequences of this layout, and memory
// for the logits that are asked for and for no others.
int64_t length_after(std::span<const Piece> pieces, const kv::CacheLayout& layout);

// Begins the appends of all pieces, or, on an error, of none.
Status begin_appends(std::span<const Piece> pieces);
void finish_appends(std::span<const Piece> pieces);

// Tells a study what the tokens of the batch picked in a layer.
void report_picks(const PickSink& sink, int64_t layer, const ops::Batch& batch,
                  const ops::Picks& picks);

// Writes the logits that the pieces ask for. `batch` holds the pieces' tokens. `inputs` takes the
// rows that are multiplied with `output`: write_input(token, row) writes one. finish(logits) may
// change the products. Tokens whose logits lie back to back share one product, so that a batch
// reads the output matrix once.
template <class WriteInput, class Finish>
void write_logits(ops::Ops& ops, const ops::Batch& batch, std::span<const Piece> pieces,
                  const kernels::WeightMatrix& output, ops::View<float> inputs,
                  const WriteInput& write_input, const Finish& finish) {
  KVASIR_CHECK(std::ssize(pieces) == std::ssize(batch.pieces()), "the batch's pieces");
  int64_t run_tokens = 0;
  float* run_logits = nullptr;
  const auto finish_run = [&] {
    if (run_tokens > 0) {
      const auto logits = ops::view_of(run_logits, run_tokens, output.rows);
      ops.matmul(output, inputs.rows_from(0, run_tokens), logits);
      finish(logits);
    }
    run_tokens = 0;
  };
  for (size_t s = 0; s < pieces.size(); ++s) {
    const Piece& piece = pieces[s];
    if (piece.logits_of == LogitsOf::kNone) continue;
    const int64_t count = piece.logits_of == LogitsOf::kAllTokens ? std::ssize(piece.tokens) : 1;
    const int64_t end = batch.pieces()[s].first_token + std::ssize(piece.tokens);
    if (run_tokens > 0 && piece.logits != run_logits + run_tokens * output.rows) finish_run();
    if (run_tokens == 0) run_logits = piece.logits;
    for (int64_t token = end - count; token < end; ++token) {
      write_input(token, inputs.row(run_tokens++));
    }
  }
  finish_run();
}

}  // namespace kvasir::model
