#include "ops/cpu/attend_segment.h"

#include <cstring>

#include "base/check.h"
#include "kernels/limits.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

using kernels::AttendedPart;
using kernels::kAttendTileRows;

kernels::CodedRows coded_rows(const kv::StreamLayout& stream) {
  return {
      .codec = stream.spec.codec, .shape = stream.vector_shape(), .row_count = kv::kBlockTokens};
}

RowList list_of(const Past& past, const AttendGroup& group, const TokenRange& tokens,
                int64_t segment) {
  const int64_t row_begin = segment * past.segment_rows;
  const int64_t first =
      std::max(row_begin, first_seen(past.keys, group.first_position + tokens.begin));
  return {.begin = first / kAttendTileRows * kAttendTileRows,
          .first_seen = first,
          .end = std::min(row_begin + past.segment_rows, group.first_position + tokens.end)};
}

// Lists where the vectors lie -> places [list.end - list.begin].
void list_rows(const Batch& batch, int64_t stream_index, View<const std::byte> new_rows,
               const AttendGroup& group, const RowList& list, const std::byte** places) {
  const kv::StreamLayout& stream = batch.stream(stream_index);
  const BatchPiece& piece = batch.piece(group.piece);
  const kv::Sequence& sequence = *piece.sequence;
  const int64_t offset = group.vector * stream.format.bytes();
  const std::byte** place = places + (list.first_seen - list.begin);
  for (int64_t position = list.first_seen; position < list.end;) {
    if (!stream.is_in_blocks()) {
      const std::byte* row = position < piece.first_position
                                 ? sequence.window_row(stream_index, position)
                                 : new_rows.row(piece.token_at(position));
      *place++ = row + offset;
      ++position;
      continue;
    }
    const int64_t in_block = position % stream.rows_per_block;
    const int64_t count = std::min(stream.rows_per_block - in_block, list.end - position);
    const std::byte* row = sequence.row(stream_index, position) + offset;
    for (int64_t i = 0; i < count; ++i) *place++ = row + i * stream.row_bytes;
    position += count;
  }
  std::fill_n(places, list.first_seen - list.begin, places[list.first_seen - list.begin]);
}

// The first rows of the segment that the same thread takes next, if the whole group sees them.
RowList next_rows(const Past& past, const AttendGroup& group, int64_t segment) {
  const int64_t begin = (segment + group.segment_step) * past.segment_rows;
  const int64_t end = begin + kAttendTileRows;
  return {.begin = begin, .first_seen = begin, .end = end <= group.first_position ? end : begin};
}

// The rows of a sealed stream at full width, all of one block.
void list_full_rows(const StreamRows& source, const AttendGroup& group, const RowList& list,
                    ListedRows& rows) {
  const BatchPiece& piece = source.batch.piece(group.piece);
  const int64_t offset = group.vector * source.batch.stream(source.stream).spec.width;
  for (int64_t position = list.begin; position < list.end; ++position) {
    const float* row = position < piece.first_position
                           ? piece.sequence->full_row(source.stream, position)
                           : source.full_rows.row(piece.token_at(position));
    rows[position - list.begin] = reinterpret_cast<const std::byte*>(row + offset);
  }
}

// Copies the queries of these tokens together. Returns how many.
int64_t place_queries(const GroupedAttendStep& step, const AttendGroup& group,
                      const TokenRange& tokens, float* queries) {
  const int64_t dim = step.batch.stream(step.key_stream).format.dim;
  const int64_t first_token = step.batch.piece(group.piece).token_at(group.first_position);
  for (int64_t t = tokens.begin; t < tokens.end; ++t, queries += group.head_count * dim) {
    std::memcpy(queries, step.queries.row(first_token + t) + group.first_head * dim,
                static_cast<size_t>(group.head_count * dim) * sizeof(float));
  }
  return (tokens.end - tokens.begin) * group.head_count;
}

// Says which rows each of these queries sees.
void list_seen(const Past& past, const AttendGroup& group, const TokenRange& tokens,
               const RowList& list, std::array<kernels::RowRange, kQueriesMax>& seen) {
  auto* place = seen.begin();
  for (int64_t t = tokens.begin; t < tokens.end; ++t, place += group.head_count) {
    const int64_t position = group.first_position + t;
    const int64_t begin = std::max(first_seen(past.keys, position), list.begin);
    const int64_t end = std::min(position + 1, list.end);
    std::fill_n(place, group.head_count,
                kernels::RowRange{.begin = begin - list.begin, .end = end - list.begin});
  }
}

// What the same thread reads next, as far as one can tell: the next vector of the streams, or
// the first one of the next segment.
struct NextVector {
  bool is_there;
  int64_t block;
  int64_t vector;
};

NextVector next_vector(const GroupedAttendStep& step, const AttendGroup& group, int64_t segment) {
  if (group.vector + 1 < step.batch.stream(step.key_stream).spec.vectors) {
    return {.is_there = true, .block = segment, .vector = group.vector + 1};
  }
  const int64_t block = segment + group.segment_step;
  return {.is_there = block < group.first_position / kv::kBlockTokens, .block = block, .vector = 0};
}

// Has the codes that come next on their way, while one token's few queries leave time for it.
void fetch_codes_ahead(const GroupedAttendStep& step, const AttendGroup& group, int64_t segment) {
  constexpr int64_t kLineBytes = 64;
  const NextVector next = next_vector(step, group, segment);
  if (!next.is_there) return;
  for (const int64_t index : {step.key_stream, step.value_stream}) {
    if (index < 0 || !step.batch.stream(index).is_sealed()) continue;
    const std::byte* codes =
        step.batch.piece(group.piece).sequence->coded_vector(index, next.block, next.vector);
    for (int64_t at = 0; at < step.batch.stream(index).bytes_per_vector; at += kLineBytes) {
      __builtin_prefetch(codes + at, 0, 2);
    }
  }
}

}  // namespace

// Keys of a block as they were before they were turned -> as they are attended, in `decoded`.
void Ops::turn_rows(const KeyRope& rope, const RowList& list, float* decoded, int64_t dim,
                    ListedRows& rows) const {
  const auto turn = rope.pairs == RopePairs::kHalves ? table_.rope_halves : table_.rope;
  const int64_t first = rope.turns_first ? 0 : dim - rope.places.dim();
  for (int64_t i = 0; i < list.end - list.begin; ++i) {
    float* row = decoded + i * dim;
    const std::byte*& place = rows[static_cast<size_t>(i)];
    if (place != reinterpret_cast<const std::byte*>(row)) {
      std::memcpy(row, place, static_cast<size_t>(dim) * sizeof(float));
      place = reinterpret_cast<const std::byte*>(row);
    }
    turn(row + first, rope.places.cos(i), rope.places.sin(i), rope.places.dim());
  }
}

void Ops::turn_queries_back(const KeyRope& rope, int64_t block, float* queries, int64_t count,
                            int64_t dim) const {
  const auto turn = rope.pairs == RopePairs::kHalves ? table_.rope_halves : table_.rope;
  const int64_t first = rope.turns_first ? 0 : dim - rope.blocks.dim();
  for (int64_t i = 0; i < count; ++i) {
    turn(queries + i * dim + first, rope.blocks.cos(block), rope.blocks.negated_sin(block),
         rope.blocks.dim());
  }
}

// Lists the rows of a segment as float32: those of a sealed stream's own block where they lie, all
// others decoded.
void Ops::list_as_floats(const StreamRows& source, const AttendGroup& group, int64_t segment,
                         const RowList& list, float* decoded, ListedRows& rows) const {
  const Batch& batch = source.batch;
  const kv::StreamLayout& stream = batch.stream(source.stream);
  if (stream.is_sealed() && group.first_position / kv::kBlockTokens == segment) {
    list_full_rows(source, group, list, rows);
    return;
  }
  if (stream.is_sealed()) {
    decode_block(*batch.piece(group.piece).sequence, source.stream, segment, group.vector, decoded);
  } else {
    list_rows(batch, source.stream, source.new_rows, group, list, rows.data());
    table_.decode_rows(stream.format, rows.data(), list.end - list.begin, decoded);
  }
  for (int64_t i = 0; i < list.end - list.begin; ++i) {
    rows[i] = reinterpret_cast<const std::byte*>(decoded + i * stream.format.dim);
  }
}

// Where the rows of a segment are multiplied as they are coded, that is done -> true.
bool Ops::attend_coded(const GroupedAttendStep& step, const AttendGroup& group, int64_t segment,
                       int64_t query_count, const GroupScratch& s,
                       const AttendedPart& target) const {
  if (step.value_stream < 0 || group.first_position / kv::kBlockTokens == segment) return false;
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const kv::StreamLayout& values = step.batch.stream(step.value_stream);
  const bool has_whole_rows = segment == 0 && keys.spec.whole_rows + values.spec.whole_rows > 0;
  const bool has_means = keys.spec.is_centered || values.spec.is_centered;
  if (has_whole_rows || has_means || keys.spec.is_before_rope ||
      !kernels::can_attend_coded(coded_rows(keys), coded_rows(values))) {
    return false;
  }
  const kv::Sequence& sequence = *step.batch.piece(group.piece).sequence;
  const NextVector next = next_vector(step, group, segment);
  const auto codes_ahead = [&](int64_t stream) {
    return next.is_there ? sequence.coded_vector(stream, next.block, next.vector) : nullptr;
  };
  table_.attend_coded(
      {.keys = coded_rows(keys),
       .key_codes = sequence.coded_vector(step.key_stream, segment, group.vector),
       .values = coded_rows(values),
       .value_codes = sequence.coded_vector(step.value_stream, segment, group.vector),
       .key_codes_ahead = codes_ahead(step.key_stream),
       .value_codes_ahead = codes_ahead(step.value_stream),
       .q = s.queries,
       .query_count = query_count,
       .scale = step.scale,
       .soft_cap = step.soft_cap,
       .out = target.out,
       .maxima = target.maxima,
       .sums = target.sums,
       .scratch = s.decoded_keys});
  return true;
}

// Lists the rows of a segment for the kernel that reads them one by one.
void Ops::list_segment(const GroupedAttendStep& step, const Past& past, const AttendGroup& group,
                       int64_t segment, const RowList& list, const GroupScratch& s,
                       SegmentRows& rows) const {
  const RowList ahead = next_rows(past, group, segment);
  rows.ahead_count = past.is_decoded ? 0 : ahead.end - ahead.begin;
  const auto list_stream = [&](const StreamRows& source, float* decoded, ListedRows& listed) {
    if (past.is_decoded) return list_as_floats(source, group, segment, list, decoded, listed);
    const auto list_more = [&](const RowList& more, const std::byte** places) {
      list_rows(source.batch, source.stream, source.new_rows, group, more, places);
    };
    list_more(list, listed.data());
    if (rows.ahead_count > 0) list_more(ahead, listed.data() + (list.end - list.begin));
  };
  list_stream({step.batch, step.key_stream, step.new_keys, step.full_keys}, s.decoded_keys,
              rows.keys);
  if (step.key_rope != nullptr) {
    const int64_t dim = past.format(step).dim;
    turn_rows(*step.key_rope, list, s.decoded_keys, dim, rows.keys);
    turn_queries_back(*step.key_rope, segment, s.queries, rows.query_count, dim);
  }
  if (step.value_stream < 0) return;
  list_stream({step.batch, step.value_stream, step.new_values, step.full_values}, s.decoded_values,
              rows.values);
}

// Attends the rows of one segment for the tokens of the group that see any -> part, at the places
// that these queries have in the group. Returns the tokens.
TokenRange Ops::attend_segment(const GroupedAttendStep& step, const AttendGroup& group,
                               int64_t segment, const AttendedPart& part, int worker) {
  const Past past(step);
  const TokenRange tokens = tokens_that_see(past, group, segment);
  if (!past.is_decoded) {
    attend_rows(step, past, group, segment, part, worker);
    return tokens;
  }
  // Coded rows lie vector by vector. Several are those of one token alone, whose queries are too.
  AttendGroup one = group;
  one.vector_count = 1;
  one.head_count = group.head_count / group.vector_count;
  for (int64_t i = 0; i < group.vector_count; ++i) {
    one.vector = group.vector + i;
    one.first_head = group.first_head + i * one.head_count;
    attend_rows(step, past, one, segment, from_query(part, i * one.head_count, step.value_dim),
                worker);
  }
  return tokens;
}

// The same of the vectors that lie in the rows together.
void Ops::attend_rows(const GroupedAttendStep& step, const Past& past, const AttendGroup& group,
                      int64_t segment, const AttendedPart& part, int worker) {
  const TokenRange tokens = tokens_that_see(past, group, segment);
  const kernels::RowFormat format = past.format(step);
  const GroupScratch s(scratch(worker), format.dim, step.value_dim);
  const int64_t query_count = place_queries(step, group, tokens, s.queries);
  const AttendedPart target = from_query(part, tokens.begin * group.head_count, step.value_dim);
  if (attend_coded(step, group, segment, query_count, s, target)) return;
  // Lists of rows are not cheap even to begin, where a block is all there is to multiply.
  const RowList list = list_of(past, group, tokens, segment);
  SegmentRows rows;
  rows.query_count = query_count;
  list_seen(past, group, tokens, list, rows.seen);
  if (past.is_decoded && group.token_count == 1) {
    fetch_codes_ahead(step, group, segment);
  }
  list_segment(step, past, group, segment, list, s, rows);
  const int64_t per_vector = rows.query_count / group.vector_count;
  table_.attend({.format = format,
                 .rows = rows.keys.data(),
                 .values = step.value_stream >= 0 ? rows.values.data() : nullptr,
                 .value_dim = step.value_dim,
                 .vector_count = group.vector_count,
                 .queries_per_vector = per_vector,
                 .row_count = list.end - list.begin,
                 .ahead_count = rows.ahead_count,
                 .seen = rows.seen.data(),
                 .q = s.queries,
                 .scale = step.scale,
                 .soft_cap = step.soft_cap,
                 .out = target.out,
                 .maxima = target.maxima,
                 .sums = target.sums,
                 .scratch = s.kernel},
                0, per_vector);
}

}  // namespace kvasir::ops
