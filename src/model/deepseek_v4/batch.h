// A Batch lays the tokens of one forward pass flat, possibly of several sequences. It has all that
// depends on their positions alone: rotary angles, and the compressed rows that they complete. It
// is filled anew for every pass and keeps its memory. Every per-token buffer of the pass is indexed
// by the flat token index.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/rope_table.h"
#include "model/model.h"

namespace kvasir::model::deepseek_v4 {

struct BatchToken {
  int32_t id;
  int32_t piece;
  int64_t position;
};

// A compressed row that the batch completes.
struct BatchRow {
  int32_t piece;
  int64_t row;  // index in its sequence
  int64_t
      rope_index;  // into the rope table of its ratio; the angle is that of the row's first token
};

class Batch {
 public:
  Batch(const Config& config, int64_t token_capacity);

  void fill(std::span<const Piece> pieces);

  int64_t token_count() const { return static_cast<int64_t>(tokens_.size()); }
  const BatchToken& token(int64_t index) const { return tokens_[static_cast<size_t>(index)]; }

  std::span<const Piece> pieces() const { return pieces_; }
  const Piece& piece(int64_t index) const { return pieces_[static_cast<size_t>(index)]; }
  kv::Sequence& sequence_of(int64_t token_index) const {
    return *piece(token(token_index).piece).sequence;
  }
  // Flat index of a piece's first token, and that token's position in its sequence.
  int64_t first_token(int64_t piece_index) const {
    return first_tokens_[static_cast<size_t>(piece_index)];
  }
  int64_t first_position(int64_t piece_index) const {
    return token(first_token(piece_index)).position;
  }

  std::span<const BatchRow> completed_rows(LayerKind kind) const;
  const RopeTable& row_rope(LayerKind kind) const;
  // By flat token index.
  const RopeTable& token_rope(LayerKind kind) const {
    return kind == LayerKind::kWindow ? window_rope_ : compressed_rope_;
  }

 private:
  struct CompletedRows {
    std::vector<BatchRow> rows;
    RopeTable rope;
  };
  void add_rows(CompletedRows& completed, int64_t ratio, int32_t piece, int64_t start, int64_t end);

  int64_t token_capacity_;
  std::vector<Piece> pieces_;
  std::vector<int64_t> first_tokens_;  // [pieces]
  std::vector<BatchToken> tokens_;
  RopeTable window_rope_;
  RopeTable compressed_rope_;
  CompletedRows csa_;
  CompletedRows hca_;
};

}  // namespace kvasir::model::deepseek_v4
