// A Batch lays the tokens of one forward pass flat, possibly of several sequences. It has all that
// depends on their positions alone: rotary angles, and the compressed rows that they complete. It
// is filled anew for every pass and keeps its memory. Every per-token buffer of the pass is indexed
// by the flat token index.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/config.h"
#include "kv/sequence.h"
#include "model/deepseek_v4/rope_table.h"

namespace kvasir::model {

enum class LogitsOf : uint8_t { kNone, kLastToken, kAllTokens };

// A Segment is the new tokens of one sequence. A sequence occurs at most once in a pass.
struct Segment {
  kv::Sequence* sequence = nullptr;
  std::span<const int32_t> tokens;  // not empty, each in [0, vocab)
  LogitsOf logits_of = LogitsOf::kNone;
  float* logits = nullptr;  // [1 or tokens.size(), vocab]
};

struct BatchToken {
  int32_t id;
  int32_t segment;
  int64_t position;
};

// A BatchRow is a compressed row that the batch completes.
struct BatchRow {
  int32_t segment;
  int64_t row;  // index in its sequence
  int64_t
      rope_index;  // into the rope table of its ratio; the angle is that of the row's first token
};

class Batch {
 public:
  Batch(const ModelConfig& config, int64_t token_capacity);

  void fill(std::span<const Segment> segments);

  int64_t token_count() const { return static_cast<int64_t>(tokens_.size()); }
  const BatchToken& token(int64_t index) const { return tokens_[static_cast<size_t>(index)]; }

  std::span<const Segment> segments() const { return segments_; }
  const Segment& segment(int64_t index) const { return segments_[static_cast<size_t>(index)]; }
  kv::Sequence& sequence_of(int64_t token_index) const {
    return *segment(token(token_index).segment).sequence;
  }
  // Flat index of a segment's first token, and that token's position in its sequence.
  int64_t first_token(int64_t segment_index) const {
    return first_tokens_[static_cast<size_t>(segment_index)];
  }
  int64_t first_position(int64_t segment_index) const {
    return token(first_token(segment_index)).position;
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
  void add_rows(CompletedRows& completed, int64_t ratio, int32_t segment, int64_t start,
                int64_t end);

  int64_t token_capacity_;
  std::vector<Segment> segments_;
  std::vector<int64_t> first_tokens_;  // [segments]
  std::vector<BatchToken> tokens_;
  RopeTable window_rope_;
  RopeTable compressed_rope_;
  CompletedRows csa_;
  CompletedRows hca_;
};

}  // namespace kvasir::model
