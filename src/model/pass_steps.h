// These functions are the steps of a forward pass that all families take alike: tokens enter their
// sequences, and rows of the output become logits. They own nothing; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/weight_matrix.h"
#include "kvasir/result.h"
#include "model/model.h"
#include "ops/ops.h"

namespace kvasir::model {

// The tokens of all pieces.
int64_t token_count_of(std::span<const Piece> pieces);

// The length that the longest sequence will have. REQUIRES: sequences of this layout, and memory
// for the logits that are asked for and for no others.
int64_t length_after(std::span<const Piece> pieces, const kv::CacheLayout& layout);

// Begins the appends of all pieces, or, on an error, of none.
Status begin_appends(std::span<const Piece> pieces);
void finish_appends(std::span<const Piece> pieces);

// Tells a study what the tokens of the batch picked in a layer.
void report_picks(const PickSink& sink, int64_t layer, const ops::Batch& batch,
                  const ops::Picks& picks);

// Gathers tokens whose logits lie apart, so that they share one product and the output matrix is
// read once for all sessions of a batch.
template <class Finish>
class LogitsApart {
 public:
  LogitsApart(ops::Ops& ops, const kernels::WeightMatrix& output, ops::View<float> inputs,
              const Finish& finish)
      : ops_(ops), output_(output), inputs_(inputs), finish_(finish) {}

  bool has_room_for(int64_t count) const { return count_ + count <= ops::Ops::kRowsApartMax; }
  // Returns where the input of a token goes. REQUIRES: has_room_for(1).
  float* add(float* logits) {
    targets_[static_cast<size_t>(count_)] = logits;
    return inputs_.row(count_++);
  }
  void multiply() {
    if (count_ == 0) return;
    const std::span<float* const> targets(targets_.data(), static_cast<size_t>(count_));
    const auto inputs = inputs_.rows_from(0, count_);
    if (count_ == 1) {
      ops_.matmul(output_, inputs, ops::view_of(targets[0], 1, output_.rows));
    } else {
      ops_.matmul_apart(output_, inputs, targets);
    }
    for (float* logits : targets) finish_(ops::view_of(logits, 1, output_.rows));
    count_ = 0;
  }

 private:
  ops::Ops& ops_;
  const kernels::WeightMatrix& output_;
  ops::View<float> inputs_;
  const Finish& finish_;
  int64_t count_ = 0;
  std::array<float*, ops::Ops::kRowsApartMax> targets_{};
};

// Writes the logits that the pieces ask for. `batch` holds the pieces' tokens. `inputs` takes the
// rows that are multiplied with `output`: write_input(token, row) writes one. finish(logits) may
// change the products.
template <class WriteInput, class Finish>
void write_logits(ops::Ops& ops, const ops::Batch& batch, std::span<const Piece> pieces,
                  const kernels::WeightMatrix& output, ops::View<float> inputs,
                  const WriteInput& write_input, const Finish& finish) {
  KVASIR_CHECK(std::ssize(pieces) == std::ssize(batch.pieces()), "the batch's pieces");
  const ops::PartScope scope(ops.clock(), PassPart::kLogits);
  LogitsApart<Finish> apart(ops, output, inputs, finish);
  for (size_t s = 0; s < pieces.size(); ++s) {
    const Piece& piece = pieces[s];
    if (piece.logits_of == LogitsOf::kNone) continue;
    const int64_t count = piece.logits_of == LogitsOf::kAllTokens ? std::ssize(piece.tokens) : 1;
    const int64_t first = batch.pieces()[s].first_token + std::ssize(piece.tokens) - count;
    if (!apart.has_room_for(count)) apart.multiply();
    if (apart.has_room_for(count)) {
      for (int64_t i = 0; i < count; ++i) {
        write_input(first + i, apart.add(piece.logits + i * output.rows));
      }
      continue;
    }
    for (int64_t i = 0; i < count; ++i) write_input(first + i, inputs.row(i));
    const auto logits = ops::view_of(piece.logits, count, output.rows);
    ops.matmul(output, inputs.rows_from(0, count), logits);
    finish(logits);
  }
  apart.multiply();
}

}  // namespace kvasir::model
