// What attend_grouped.cc, which cuts the work of a step into groups and segments, and
// attend_segment.cc, which attends one segment for one group, know of each other. Plain values and
// pure functions; nobody else includes it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "kernels/limits.h"
#include "ops/attention_steps.h"

namespace kvasir::ops {

// Rows are attended segment by segment, and what these give is joined in ascending order. So
// threads can share out a long past whatever its length, and the bits do not tell who did what:
// they hang on positions alone. Whole tiles. Rows that are decoded first come by the block.
inline constexpr int64_t kSegmentRows = 256;
static_assert(kv::kBlockTokens <= kSegmentRows);

// Queries, each a head of a token, that share the decoded rows of a tile.
inline constexpr int64_t kQueriesMax = 128;

// A Past says how the rows that a step attends come to the kernels.
struct Past {
  const kv::Stream& keys;
  bool is_decoded;  // to float32, a block at a time; otherwise rows are read where they lie
  int64_t segment_rows;

  explicit Past(const GroupedAttendStep& step)
      : keys(step.batch.stream(step.key_stream).spec),
        is_decoded(needs_decoding(step)),
        segment_rows(is_decoded ? kv::kBlockTokens : kSegmentRows) {}

  // In which the kernels read them.
  kernels::RowFormat format(const GroupedAttendStep& step) const {
    kernels::RowFormat format = step.batch.stream(step.key_stream).format;
    if (is_decoded) format = {.codec = kernels::CodecId::kF32, .dim = format.dim};
    return format;
  }

 private:
  static bool needs_decoding(const GroupedAttendStep& step) {
    const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
    if (step.value_stream < 0) return keys.is_sealed();
    const kv::StreamLayout& values = step.batch.stream(step.value_stream);
    return keys.is_sealed() || values.is_sealed() || keys.spec.codec != values.spec.codec;
  }
};

// The segments whose rows some token of a group sees.
struct SegmentRange {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t count() const { return end - begin; }
};

inline int64_t first_seen(const kv::Stream& stream, int64_t position) {
  return stream.reach == kv::Reach::kWindow
             ? std::max<int64_t>(0, position - stream.window_tokens + 1)
             : 0;
}

inline SegmentRange segments_of(const Past& past, const AttendGroup& group) {
  return {.begin = first_seen(past.keys, group.first_position) / past.segment_rows,
          .end = (group.end_position() - 1) / past.segment_rows + 1};
}

// The tokens of a group that see rows of a segment, by their place in the group.
inline TokenRange tokens_that_see(const Past& past, const AttendGroup& group, int64_t segment) {
  const int64_t row_begin = segment * past.segment_rows;
  const int64_t row_end = row_begin + past.segment_rows;
  TokenRange tokens{.begin = std::max<int64_t>(0, row_begin - group.first_position),
                    .end = group.token_count};
  while (tokens.end > tokens.begin &&
         first_seen(past.keys, group.first_position + tokens.end - 1) >= row_end) {
    --tokens.end;
  }
  return tokens;
}

// The rows that these tokens see of a segment: list place 0 is position `begin`, at which a tile
// begins.
struct RowList {
  int64_t begin = 0;
  int64_t first_seen = 0;  // places before this position are there for the tiles' sake
  int64_t end = 0;
};

// Where the vectors of these rows lie, from `begin` on, and behind them a tile that comes next.
struct ListedRows : std::array<const std::byte*, kSegmentRows + kernels::kAttendTileRows> {};

// The rows of a segment, and the queries that see them.
struct SegmentRows {
  ListedRows keys;
  ListedRows values;
  std::array<kernels::RowRange, kQueriesMax> seen;
  int64_t query_count = 0;
  int64_t ahead_count = 0;  // rows behind the list
};

// The rows of a stream that a step attends.
struct StreamRows {
  const Batch& batch;
  int64_t stream = 0;
  // The batch's own, where the stream is a window, or sealed.
  View<const std::byte> new_rows;
  View<const float> full_rows;
};

// Floats of what attend gives of one query.
inline int64_t part_floats(int64_t value_dim) { return value_dim + 2; }

// Floats that each thread lends for parts which wait to be joined: two of the largest at least.
inline int64_t waiting_floats(int64_t value_dim) {
  constexpr int64_t kFloats = 1 << 14;
  return std::max(kFloats, 2 * kQueriesMax * part_floats(value_dim));
}

inline int64_t decoded_floats(int64_t dim, int64_t value_dim) {
  return std::max(kv::kBlockTokens * (dim + value_dim),
                  kernels::attend_coded_scratch_floats(dim, value_dim));
}

inline kernels::AttendedPart part_at(float* floats, int64_t queries, int64_t value_dim) {
  float* maxima = floats + queries * value_dim;
  return {.out = floats, .maxima = maxima, .sums = maxima + queries};
}

inline kernels::AttendedPart from_query(const kernels::AttendedPart& part, int64_t query,
                                        int64_t value_dim) {
  return {.out = part.out + query * value_dim,
          .maxima = part.maxima + query,
          .sums = part.sums + query};
}

// GroupScratch cuts up what a thread has.
struct GroupScratch {
  float* queries;                   // [kQueriesMax, dim]
  kernels::AttendedPart wholes[2];  // of kQueriesMax queries each
  float* waiting;                   // [waiting_floats]
  float* decoded_keys;              // [kBlockTokens, dim]
  float* decoded_values;            // [kBlockTokens, value_dim]
  float* kernel;

  GroupScratch(float* scratch, int64_t dim, int64_t value_dim) : queries(scratch) {
    float* rest = queries + kQueriesMax * dim;
    for (kernels::AttendedPart& whole : wholes) {
      whole = part_at(rest, kQueriesMax, value_dim);
      rest += kQueriesMax * part_floats(value_dim);
    }
    waiting = rest;
    decoded_keys = waiting + waiting_floats(value_dim);
    decoded_values = decoded_keys + kv::kBlockTokens * dim;
    kernel = decoded_keys + decoded_floats(dim, value_dim);
  }
};

}  // namespace kvasir::ops
