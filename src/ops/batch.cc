#include "ops/batch.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir::ops {

Batch::Batch(int64_t token_capacity) : token_capacity_(token_capacity) {
  const auto capacity = static_cast<size_t>(token_capacity);
  pieces_.reserve(capacity);
  tokens_.reserve(capacity);
}

void Batch::clear() {
  pieces_.clear();
  tokens_.clear();
}

void Batch::add(kv::Sequence& sequence, std::span<const int32_t> tokens) {
  KVASIR_CHECK(!tokens.empty() && token_count() + std::ssize(tokens) <= token_capacity_,
               "a pass has tokens, and no more than its capacity");
  KVASIR_CHECK(pieces_.empty() || &sequence.layout() == &pieces_.front().sequence->layout(),
               "sequences of one layout");
  const auto piece = static_cast<int32_t>(pieces_.size());
  int64_t position = sequence.length();
  pieces_.push_back({.sequence = &sequence,
                     .first_token = token_count(),
                     .first_position = position,
                     .token_count = std::ssize(tokens)});
  for (const int32_t id : tokens) tokens_.push_back({id, piece, position++});
}

bool Batch::has_cold_parts() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const BatchPiece& piece) { return piece.sequence->hot_part_count() > 0; });
}

PooledRows::PooledRows(int64_t tokens_per_row, std::vector<double> frequencies,
                       int64_t token_capacity)
    : tokens_per_row_(tokens_per_row), rope_(std::move(frequencies), token_capacity) {
  // A single token can complete a row, so there are at most as many rows as tokens.
  rows_.reserve(static_cast<size_t>(token_capacity));
}

void PooledRows::fill(const Batch& batch) {
  rows_.clear();
  rope_.clear();
  int32_t index = 0;
  for (const BatchPiece& piece : batch.pieces()) {
    const int64_t end = piece.end_position() / tokens_per_row_;
    for (int64_t row = piece.first_position / tokens_per_row_; row < end; ++row) {
      rows_.push_back({index, row, rope_.add(row * tokens_per_row_)});
    }
    ++index;
  }
}

}  // namespace kvasir::ops
