// A Batch lays the tokens of one forward pass flat, possibly of several sequences. Every buffer of
// the pass that has a row per token is indexed by the flat token index.
//
// PooledRows list the rows, each of several tokens, that a batch completes. Both are filled anew
// for every pass and keep their memory. One thread fills them; then any number may read.
//
// For example two sequences of 5 and 0 tokens get 3 and 2 more. Then the batch has 5 tokens: 0 to 2
// are the first sequence's positions 5 to 7, and 3 and 4 are the second's positions 0 and 1. With 4
// tokens a row it completes one row: row 1 of the first sequence, of positions 4 to 7.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "kv/sequence.h"
#include "ops/rope.h"

namespace kvasir::ops {

// A BatchToken is one token with its place in its sequence.
struct BatchToken {
  int32_t id = 0;
  int32_t piece = 0;
  int64_t position = 0;
};

// A BatchPiece is the new tokens of one sequence.
struct BatchPiece {
  kv::Sequence* sequence = nullptr;
  int64_t first_token = 0;  // flat index
  int64_t first_position = 0;
  int64_t token_count = 0;

  int64_t end_position() const { return first_position + token_count; }
  int64_t token_at(int64_t position) const { return first_token + position - first_position; }
};

class Batch {
 public:
  explicit Batch(int64_t token_capacity);

  void clear();
  // Adds tokens that follow those of the sequence. REQUIRES: there are some, no more than fit, and
  // the sequence has no other tokens here. It outlives what is done with the batch.
  void add(kv::Sequence& sequence, std::span<const int32_t> tokens);

  int64_t token_count() const { return std::ssize(tokens_); }
  const BatchToken& token(int64_t index) const {
    KVASIR_DCHECK(index >= 0 && index < token_count(), "a token of the batch");
    return tokens_[static_cast<size_t>(index)];
  }

  std::span<const BatchPiece> pieces() const { return pieces_; }
  const BatchPiece& piece(int64_t index) const {
    KVASIR_DCHECK(index >= 0 && index < std::ssize(pieces_), "a piece of the batch");
    return pieces_[static_cast<size_t>(index)];
  }
  const BatchPiece& piece_of(int64_t token_index) const { return piece(token(token_index).piece); }
  kv::Sequence& sequence_of(int64_t token_index) const { return *piece_of(token_index).sequence; }

  // Returns a stream of the layout that all the sequences have. REQUIRES: the batch has tokens.
  const kv::StreamLayout& stream(int64_t index) const {
    KVASIR_DCHECK(!pieces_.empty(), "a batch with tokens");
    const auto& streams = pieces_.front().sequence->layout().streams;
    KVASIR_DCHECK(index >= 0 && index < std::ssize(streams), "a stream of the layout");
    return streams[static_cast<size_t>(index)];
  }
  // Returns how many rows of a stream are complete once this token is there.
  int64_t complete_rows(int64_t token_index, int64_t stream_index) const {
    return kv::row_count(stream(stream_index).spec, token(token_index).position + 1);
  }
  // Returns whether some rows of its sequences are not in memory.
  bool has_cold_parts() const;

 private:
  int64_t token_capacity_;
  std::vector<BatchPiece> pieces_;
  std::vector<BatchToken> tokens_;
};

// A PooledRow names one row that the batch completes.
struct PooledRow {
  int32_t piece = 0;
  int64_t row = 0;         // index in its sequence
  int64_t rope_index = 0;  // into PooledRows::rope
};

class PooledRows {
 public:
  // frequencies: what rope_frequencies gave.
  PooledRows(int64_t tokens_per_row, std::vector<double> frequencies, int64_t token_capacity);

  void fill(const Batch& batch);

  int64_t tokens_per_row() const { return tokens_per_row_; }
  std::span<const PooledRow> rows() const { return rows_; }
  // Returns the angles of each row's first token, by PooledRow::rope_index.
  const RopeTable& rope() const { return rope_; }

 private:
  int64_t tokens_per_row_;
  std::vector<PooledRow> rows_;
  RopeTable rope_;
};

}  // namespace kvasir::ops
