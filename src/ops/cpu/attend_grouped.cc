#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "kernels/limits.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

using kernels::AttendedPart;
using kernels::kAttendTileRows;

// Rows are attended segment by segment, and what these give is joined in ascending order. So
// threads can share out a long past whatever its length, and the bits do not tell who did what:
// they hang on positions alone. Whole tiles.
constexpr int64_t kSegmentRows = 256;

// Queries, each a head of a token, that share the decoded rows of a tile; and of how many tokens at
// most, so that short prompts still make work for all threads.
constexpr int64_t kQueriesMax = 64;
constexpr int64_t kTokensMax = 16;
// Pieces of work for a thread, where there are so many.
constexpr int64_t kTasksPerThread = 4;

}  // namespace

// A GroupCut says how the heads and tokens of a batch are cut into groups.
class GroupCut {
 public:
  GroupCut(const Batch& batch, const kv::StreamLayout& keys, int64_t head_count, int thread_count)
      : batch_(batch),
        vectors_(keys.spec.vectors),
        heads_per_vector_(head_count / vectors_),
        heads_(std::min(heads_per_vector_, kQueriesMax)),
        parts_((heads_per_vector_ + heads_ - 1) / heads_),
        tokens_(std::min(kTokensMax, kQueriesMax / heads_)) {
    for (const BatchPiece& piece : batch.pieces()) {
      token_groups_ += token_groups_of(piece);
      longest_ = std::max(longest_, std::min(tokens_, piece.token_count));
      segments_ = std::max(segments_, (piece.end_position() - 1) / kSegmentRows + 1);
    }
    if (longest_ == 1) join_vectors(thread_count);
  }

  // Of the longest piece.
  int64_t segments() const { return segments_; }
  int64_t group_count() const { return token_groups_ * groups_per_token() * parts_; }
  // Of any group.
  int64_t queries_max() const { return heads_ * vectors_at_once_ * longest_; }

  // Groups of the same tokens follow each other.
  AttendGroup group(int64_t index) const {
    AttendGroup group = tokens_of_group(index / (groups_per_token() * parts_));
    const int64_t part = index % parts_;
    group.vector = index / parts_ % groups_per_token() * vectors_at_once_;
    group.vector_count = std::min(vectors_at_once_, vectors_ - group.vector);
    group.first_head = group.vector * heads_per_vector_ + part * heads_;
    const int64_t end_head = (group.vector + group.vector_count) * heads_per_vector_;
    group.head_count = std::min(heads_ * group.vector_count, end_head - group.first_head);
    return group;
  }

 private:
  // Rows of one token alone are read in the order in which they lie, all vectors at once, where
  // there is work enough for all threads nevertheless.
  void join_vectors(int thread_count) {
    const int64_t most = parts_ == 1 ? std::min(vectors_, kQueriesMax / heads_) : 1;
    const int64_t tasks = token_groups_ * (vectors_ / most) * segments_;
    const int64_t wanted = kTasksPerThread * thread_count;
    vectors_at_once_ = tasks >= wanted ? most : std::max<int64_t>(1, most * tasks / wanted);
  }
  int64_t groups_per_token() const { return (vectors_ + vectors_at_once_ - 1) / vectors_at_once_; }
  int64_t token_groups_of(const BatchPiece& piece) const {
    return (piece.token_count + tokens_ - 1) / tokens_;
  }
  AttendGroup tokens_of_group(int64_t index) const {
    AttendGroup group;
    while (index >= token_groups_of(batch_.piece(group.piece))) {
      index -= token_groups_of(batch_.piece(group.piece++));
    }
    const BatchPiece& piece = batch_.piece(group.piece);
    group.first_position = piece.first_position + index * tokens_;
    group.token_count = std::min(tokens_, piece.end_position() - group.first_position);
    return group;
  }

  const Batch& batch_;
  int64_t vectors_;
  int64_t heads_per_vector_;
  int64_t heads_;   // of a group, at most
  int64_t parts_;   // of a vector's heads
  int64_t tokens_;  // of a group, at most
  int64_t vectors_at_once_ = 1;
  int64_t longest_ = 0;
  int64_t token_groups_ = 0;
  int64_t segments_ = 0;
};

namespace {

int64_t first_seen(const kv::Stream& stream, int64_t position) {
  return stream.reach == kv::Reach::kWindow
             ? std::max<int64_t>(0, position - stream.window_tokens + 1)
             : 0;
}

// The segments whose rows some token of a group sees.
struct SegmentRange {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t count() const { return end - begin; }
};

SegmentRange segments_of(const kv::Stream& stream, const AttendGroup& group) {
  return {.begin = first_seen(stream, group.first_position) / kSegmentRows,
          .end = (group.end_position() - 1) / kSegmentRows + 1};
}

// The tokens of a group that see rows of a segment, by their place in the group.
TokenRange tokens_that_see(const kv::Stream& stream, const AttendGroup& group, int64_t segment) {
  const int64_t row_begin = segment * kSegmentRows;
  const int64_t row_end = row_begin + kSegmentRows;
  TokenRange tokens{.begin = std::max<int64_t>(0, row_begin - group.first_position),
                    .end = group.token_count};
  while (tokens.end > tokens.begin &&
         first_seen(stream, group.first_position + tokens.end - 1) >= row_end) {
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

RowList list_of(const kv::Stream& stream, const AttendGroup& group, const TokenRange& tokens,
                int64_t segment) {
  const int64_t row_begin = segment * kSegmentRows;
  const int64_t first =
      std::max(row_begin, first_seen(stream, group.first_position + tokens.begin));
  return {.begin = first / kAttendTileRows * kAttendTileRows,
          .first_seen = first,
          .end = std::min(row_begin + kSegmentRows, group.first_position + tokens.end)};
}

using ListedRows = std::array<const std::byte*, kSegmentRows>;

// Lists where the vectors lie.
void list_rows(const Batch& batch, int64_t stream_index, View<const std::byte> new_rows,
               const AttendGroup& group, const RowList& list, ListedRows& rows) {
  const kv::StreamLayout& stream = batch.stream(stream_index);
  const BatchPiece& piece = batch.piece(group.piece);
  const kv::Sequence& sequence = *piece.sequence;
  const int64_t offset = group.vector * stream.format.bytes();
  const std::byte** place = rows.data() + (list.first_seen - list.begin);
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
  std::fill_n(rows.data(), list.first_seen - list.begin, rows[list.first_seen - list.begin]);
}

void check_shapes(const GroupedAttendStep& step) {
  const int64_t n = step.batch.token_count();
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const int64_t vectors = keys.spec.vectors;
  KVASIR_CHECK(step.queries.rows == n && step.queries.cols % (vectors * keys.format.dim) == 0 &&
                   step.attended.has_shape(n, step.queries.cols / keys.format.dim * step.value_dim),
               "shapes of an attended sum");
  KVASIR_CHECK(keys.is_in_blocks() || step.new_keys.has_shape(n, keys.row_bytes),
               "a new key for every token");
  if (step.value_stream < 0) return;
  const kv::StreamLayout& values = step.batch.stream(step.value_stream);
  KVASIR_CHECK(values.format.dim == step.value_dim && values.spec.vectors == vectors &&
                   values.format.codec == keys.format.codec &&
                   values.spec.reach == keys.spec.reach &&
                   values.spec.window_tokens == keys.spec.window_tokens,
               "values that go with the keys");
}

// Floats of what attend gives of one query.
int64_t part_floats(int64_t value_dim) { return value_dim + 2; }

// Floats that each thread lends for parts which wait to be joined: two of the largest at least.
int64_t waiting_floats(int64_t value_dim) {
  constexpr int64_t kFloats = 1 << 14;
  return std::max(kFloats, 2 * kQueriesMax * part_floats(value_dim));
}

AttendedPart part_at(float* floats, int64_t queries, int64_t value_dim) {
  float* maxima = floats + queries * value_dim;
  return {.out = floats, .maxima = maxima, .sums = maxima + queries};
}

AttendedPart from_query(const AttendedPart& part, int64_t query, int64_t value_dim) {
  return {.out = part.out + query * value_dim,
          .maxima = part.maxima + query,
          .sums = part.sums + query};
}

// GroupScratch cuts up what a thread has.
struct GroupScratch {
  float* queries;          // [kQueriesMax, dim]
  AttendedPart wholes[2];  // of kQueriesMax queries each
  float* waiting;          // [waiting_floats]
  float* kernel;

  GroupScratch(float* scratch, int64_t dim, int64_t value_dim) : queries(scratch) {
    float* rest = queries + kQueriesMax * dim;
    for (AttendedPart& whole : wholes) {
      whole = part_at(rest, kQueriesMax, value_dim);
      rest += kQueriesMax * part_floats(value_dim);
    }
    waiting = rest;
    kernel = waiting + waiting_floats(value_dim);
  }
};

// Without rows, a whole is its sink.
void begin_whole(const GroupedAttendStep& step, const AttendGroup& group,
                 const AttendedPart& whole) {
  const int64_t queries = group.token_count * group.head_count;
  std::fill_n(whole.out, queries * step.value_dim, 0.0f);
  std::fill_n(whole.sums, queries, step.sinks != nullptr ? 1.0f : 0.0f);
  std::fill_n(whole.maxima, queries, -std::numeric_limits<float>::infinity());
  if (step.sinks == nullptr) return;
  for (int64_t t = 0; t < group.token_count; ++t) {
    std::copy_n(step.sinks + group.first_head, group.head_count,
                whole.maxima + t * group.head_count);
  }
}

}  // namespace

int64_t grouped_scratch_floats(const kernels::RowFormat& key, int64_t value_dim) {
  return kernels::attend_scratch_floats(key, value_dim, kQueriesMax) + kQueriesMax * key.dim +
         2 * kQueriesMax * part_floats(value_dim) + waiting_floats(value_dim);
}

void Ops::attend_grouped(const GroupedAttendStep& step) {
  check_shapes(step);
  const Batch& batch = step.batch;
  const kv::StreamLayout& keys = batch.stream(step.key_stream);
  KVASIR_CHECK(grouped_scratch_floats(keys.format, step.value_dim) <= scratch_floats_,
               "the scratch memory was sized for as many queries");
  const GroupCut cut(batch, keys, step.queries.cols / keys.format.dim, thread_count());
  if (cut.segments() > 1 && cut.group_count() < 2 * thread_count()) {
    attend_few_groups(step, cut);
    return;
  }
  pool_.parallel_for(cut.group_count(), [&](int64_t index, int worker) {
    attend_group(step, cut.group(index), worker);
  });
}

// Attends the rows of one segment for the tokens of the group that see any -> part, at the places
// that these queries have in the group. Returns the tokens.
TokenRange Ops::attend_segment(const GroupedAttendStep& step, const AttendGroup& group,
                               int64_t segment, const AttendedPart& part, int worker) {
  const Batch& batch = step.batch;
  const kv::StreamLayout& keys = batch.stream(step.key_stream);
  const int64_t dim = keys.format.dim;
  const TokenRange tokens = tokens_that_see(keys.spec, group, segment);
  const RowList list = list_of(keys.spec, group, tokens, segment);
  ListedRows key_rows;
  ListedRows value_rows;
  list_rows(batch, step.key_stream, step.new_keys, group, list, key_rows);
  if (step.value_stream >= 0) {
    list_rows(batch, step.value_stream, step.new_values, group, list, value_rows);
  }

  const GroupScratch s(scratch(worker), dim, step.value_dim);
  std::array<kernels::RowRange, kQueriesMax> seen;
  const int64_t first_token = batch.piece(group.piece).token_at(group.first_position);
  int64_t place = 0;
  for (int64_t t = tokens.begin; t < tokens.end; ++t, place += group.head_count) {
    const int64_t position = group.first_position + t;
    std::memcpy(s.queries + place * dim, step.queries.row(first_token + t) + group.first_head * dim,
                static_cast<size_t>(group.head_count * dim) * sizeof(float));
    const int64_t begin = std::max(first_seen(keys.spec, position), list.begin);
    const int64_t end = std::min(position + 1, list.end);
    std::fill_n(seen.begin() + place, group.head_count,
                kernels::RowRange{.begin = begin - list.begin, .end = end - list.begin});
  }
  const AttendedPart target = from_query(part, tokens.begin * group.head_count, step.value_dim);
  table_.attend({.format = keys.format,
                 .rows = key_rows.data(),
                 .values = step.value_stream >= 0 ? value_rows.data() : nullptr,
                 .value_dim = step.value_dim,
                 .vector_count = group.vector_count,
                 .queries_per_vector = place / group.vector_count,
                 .row_count = list.end - list.begin,
                 .seen = seen.data(),
                 .q = s.queries,
                 .scale = step.scale,
                 .soft_cap = step.soft_cap,
                 .out = target.out,
                 .maxima = target.maxima,
                 .sums = target.sums,
                 .scratch = s.kernel},
                0, place / group.vector_count);
  return tokens;
}

void Ops::join_segment(const GroupedAttendStep& step, const AttendGroup& group,
                       const TokenRange& tokens, const AttendedPart& part,
                       const AttendedPart& whole) const {
  const int64_t first = tokens.begin * group.head_count;
  table_.join_attended(from_query(part, first, step.value_dim),
                       (tokens.end - tokens.begin) * group.head_count, step.value_dim,
                       from_query(whole, first, step.value_dim));
}

void Ops::put_attended(const GroupedAttendStep& step, const AttendGroup& group,
                       const AttendedPart& whole) const {
  table_.finish_attended(whole, group.token_count * group.head_count, step.value_dim);
  const int64_t first_token = step.batch.piece(group.piece).token_at(group.first_position);
  const int64_t floats = group.head_count * step.value_dim;
  for (int64_t t = 0; t < group.token_count; ++t) {
    std::memcpy(step.attended.row(first_token + t) + group.first_head * step.value_dim,
                whole.out + t * floats, static_cast<size_t>(floats) * sizeof(float));
  }
}

void Ops::attend_group(const GroupedAttendStep& step, const AttendGroup& group, int worker) {
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const GroupScratch s(scratch(worker), keys.format.dim, step.value_dim);
  begin_whole(step, group, s.wholes[0]);
  const SegmentRange segments = segments_of(keys.spec, group);
  for (int64_t segment = segments.begin; segment < segments.end; ++segment) {
    const TokenRange tokens = attend_segment(step, group, segment, s.wholes[1], worker);
    join_segment(step, group, tokens, s.wholes[1], s.wholes[0]);
  }
  put_attended(step, group, s.wholes[0]);
}

// Threads share out the segments: as many at once as there is room for parts that wait.
void Ops::attend_few_groups(const GroupedAttendStep& step, const GroupCut& cut) {
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const int64_t groups = cut.group_count();
  const int64_t part_size = cut.queries_max() * part_floats(step.value_dim);
  const int64_t parts_per_thread = waiting_floats(step.value_dim) / part_size;
  const int64_t at_once = parts_per_thread * thread_count() / groups;  // segments of each group
  const auto scratch_of = [&](int64_t thread) {
    return GroupScratch(scratch(static_cast<int>(thread)), keys.format.dim, step.value_dim);
  };
  const auto whole_of = [&](int64_t group) {
    return scratch_of(group % thread_count()).wholes[group / thread_count()];
  };
  const auto part_of = [&](int64_t group, int64_t index) {
    const int64_t place = group * at_once + index;
    float* parts = scratch_of(place / parts_per_thread).waiting;
    return part_at(parts + place % parts_per_thread * part_size, cut.queries_max(), step.value_dim);
  };

  int64_t most = 0;
  for (int64_t index = 0; index < groups; ++index) {
    const AttendGroup group = cut.group(index);
    begin_whole(step, group, whole_of(index));
    most = std::max(most, segments_of(keys.spec, group).count());
  }
  for (int64_t first = 0; first < most; first += at_once) {
    // Tasks that follow each other read neighbouring vectors of the same rows.
    pool_.parallel_for(groups * std::min(at_once, most - first), [&](int64_t task, int worker) {
      const AttendGroup group = cut.group(task % groups);
      const int64_t index = task / groups;
      const SegmentRange segments = segments_of(keys.spec, group);
      if (first + index >= segments.count()) return;
      attend_segment(step, group, segments.begin + first + index, part_of(task % groups, index),
                     worker);
    });
    pool_.parallel_for(groups, [&](int64_t task, int) {
      const AttendGroup group = cut.group(task);
      const SegmentRange segments = segments_of(keys.spec, group);
      const int64_t end = std::min(at_once, segments.count() - first);
      for (int64_t index = 0; index < end; ++index) {
        const int64_t segment = segments.begin + first + index;
        join_segment(step, group, tokens_that_see(keys.spec, group, segment), part_of(task, index),
                     whole_of(task));
      }
      if (first + at_once >= most) put_attended(step, group, whole_of(task));
    });
  }
}

}  // namespace kvasir::ops
