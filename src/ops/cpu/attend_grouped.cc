#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "kernels/limits.h"
#include "ops/ops.h"
#include "ops/rotation.h"

namespace kvasir::ops {
namespace {

using kernels::AttendedPart;
using kernels::kAttendTileRows;

// Rows are attended segment by segment, and what these give is joined in ascending order. So
// threads can share out a long past whatever its length, and the bits do not tell who did what:
// they hang on positions alone. Whole tiles. Rows that are decoded first come by the block.
constexpr int64_t kSegmentRows = 256;
static_assert(kv::kBlockTokens <= kSegmentRows);

// Queries, each a head of a token, that share the decoded rows of a tile; and of how many tokens at
// most, so that short prompts still make work for all threads.
constexpr int64_t kQueriesMax = 64;
constexpr int64_t kTokensMax = 16;
// Pieces of work for a thread, where there are so many.
constexpr int64_t kTasksPerThread = 4;

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

}  // namespace

// The rows that these tokens see of a segment: list place 0 is position `begin`, at which a tile
// begins.
struct RowList {
  int64_t begin = 0;
  int64_t first_seen = 0;  // places before this position are there for the tiles' sake
  int64_t end = 0;
};

// Where the vectors of these rows lie, from `begin` on.
struct ListedRows : std::array<const std::byte*, kSegmentRows> {};

// The rows of a stream that a step attends.
struct StreamRows {
  const Batch& batch;
  int64_t stream = 0;
  // The batch's own, where the stream is a window, or sealed.
  View<const std::byte> new_rows;
  View<const float> full_rows;
};

// A GroupCut says how the heads and tokens of a batch are cut into groups.
class GroupCut {
 public:
  GroupCut(const Batch& batch, const Past& past, int64_t head_count, int thread_count)
      : batch_(batch),
        vectors_(past.keys.vectors),
        heads_per_vector_(head_count / vectors_),
        heads_(std::min(heads_per_vector_, kQueriesMax)),
        parts_((heads_per_vector_ + heads_ - 1) / heads_),
        tokens_(tokens_of(past, heads_)),
        ends_at_blocks_(past.is_decoded) {
    for (const BatchPiece& piece : batch.pieces()) {
      token_groups_ += token_groups_of(piece);
      longest_ = std::max(longest_, std::min(tokens_, piece.token_count));
      segments_ = std::max(segments_, (piece.end_position() - 1) / past.segment_rows + 1);
    }
    // Decoded rows come vector by vector.
    if (longest_ == 1 && !past.is_decoded) join_vectors(thread_count);
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
  // Groups that end where blocks do take a number that divides a block.
  static int64_t tokens_of(const Past& past, int64_t heads) {
    const auto most = static_cast<uint64_t>(std::min(kTokensMax, kQueriesMax / heads));
    return static_cast<int64_t>(past.is_decoded ? std::bit_floor(most) : most);
  }
  // Rows of one token alone are read in the order in which they lie, all vectors at once, where
  // there is work enough for all threads nevertheless.
  void join_vectors(int thread_count) {
    const int64_t most = parts_ == 1 ? std::min(vectors_, kQueriesMax / heads_) : 1;
    const int64_t tasks = token_groups_ * (vectors_ / most) * segments_;
    const int64_t wanted = kTasksPerThread * thread_count;
    vectors_at_once_ = tasks >= wanted ? most : std::max<int64_t>(1, most * tasks / wanted);
  }
  int64_t groups_per_token() const { return (vectors_ + vectors_at_once_ - 1) / vectors_at_once_; }
  // Tokens of one block see a row in the same form.
  int64_t first_cut(const BatchPiece& piece) const {
    return ends_at_blocks_ ? piece.first_position / tokens_ * tokens_ : piece.first_position;
  }
  int64_t token_groups_of(const BatchPiece& piece) const {
    return (piece.end_position() - first_cut(piece) + tokens_ - 1) / tokens_;
  }
  AttendGroup tokens_of_group(int64_t index) const {
    AttendGroup group;
    while (index >= token_groups_of(batch_.piece(group.piece))) {
      index -= token_groups_of(batch_.piece(group.piece++));
    }
    const BatchPiece& piece = batch_.piece(group.piece);
    const int64_t cut = first_cut(piece) + index * tokens_;
    group.first_position = std::max(cut, piece.first_position);
    group.token_count = std::min(cut + tokens_, piece.end_position()) - group.first_position;
    return group;
  }

  const Batch& batch_;
  int64_t vectors_;
  int64_t heads_per_vector_;
  int64_t heads_;   // of a group, at most
  int64_t parts_;   // of a vector's heads
  int64_t tokens_;  // of a group, at most
  bool ends_at_blocks_;
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

SegmentRange segments_of(const Past& past, const AttendGroup& group) {
  return {.begin = first_seen(past.keys, group.first_position) / past.segment_rows,
          .end = (group.end_position() - 1) / past.segment_rows + 1};
}

// The tokens of a group that see rows of a segment, by their place in the group.
TokenRange tokens_that_see(const Past& past, const AttendGroup& group, int64_t segment) {
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

RowList list_of(const Past& past, const AttendGroup& group, const TokenRange& tokens,
                int64_t segment) {
  const int64_t row_begin = segment * past.segment_rows;
  const int64_t first =
      std::max(row_begin, first_seen(past.keys, group.first_position + tokens.begin));
  return {.begin = first / kAttendTileRows * kAttendTileRows,
          .first_seen = first,
          .end = std::min(row_begin + past.segment_rows, group.first_position + tokens.end)};
}

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

void check_shapes(const GroupedAttendStep& step) {
  const int64_t n = step.batch.token_count();
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const int64_t vectors = keys.spec.vectors;
  KVASIR_CHECK(step.queries.rows == n && step.queries.cols % (vectors * keys.format.dim) == 0 &&
                   step.attended.has_shape(n, step.queries.cols / keys.format.dim * step.value_dim),
               "shapes of an attended sum");
  KVASIR_CHECK(keys.is_in_blocks() || step.new_keys.has_shape(n, keys.row_bytes),
               "a new key for every token");
  KVASIR_CHECK(!keys.is_sealed() || step.full_keys.has_shape(n, keys.full_row_floats()),
               "a key at full width for every token");
  if (step.value_stream < 0) return;
  const kv::StreamLayout& values = step.batch.stream(step.value_stream);
  KVASIR_CHECK(values.format.dim == step.value_dim && values.spec.vectors == vectors &&
                   values.spec.reach == keys.spec.reach &&
                   values.spec.window_tokens == keys.spec.window_tokens,
               "values that go with the keys");
  KVASIR_CHECK(!values.is_sealed() || step.full_values.has_shape(n, values.full_row_floats()),
               "a value at full width for every token");
}

// Floats of what attend gives of one query.
int64_t part_floats(int64_t value_dim) { return value_dim + 2; }

// Floats that each thread lends for parts which wait to be joined: two of the largest at least.
int64_t waiting_floats(int64_t value_dim) {
  constexpr int64_t kFloats = 1 << 14;
  return std::max(kFloats, 2 * kQueriesMax * part_floats(value_dim));
}

int64_t decoded_floats(int64_t dim, int64_t value_dim) {
  return kv::kBlockTokens * (dim + value_dim);
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
  float* decoded_keys;     // [kBlockTokens, dim]
  float* decoded_values;   // [kBlockTokens, value_dim]
  float* kernel;

  GroupScratch(float* scratch, int64_t dim, int64_t value_dim) : queries(scratch) {
    float* rest = queries + kQueriesMax * dim;
    for (AttendedPart& whole : wholes) {
      whole = part_at(rest, kQueriesMax, value_dim);
      rest += kQueriesMax * part_floats(value_dim);
    }
    waiting = rest;
    decoded_keys = waiting + waiting_floats(value_dim);
    decoded_values = decoded_keys + kv::kBlockTokens * dim;
    kernel = decoded_keys + decoded_floats(dim, value_dim);
  }
};

// Copies the queries of these tokens together and says which rows each sees. Returns how many.
int64_t place_queries(const GroupedAttendStep& step, const Past& past, const AttendGroup& group,
                      const TokenRange& tokens, const RowList& list, float* queries,
                      std::array<kernels::RowRange, kQueriesMax>& seen) {
  const int64_t dim = step.batch.stream(step.key_stream).format.dim;
  const int64_t first_token = step.batch.piece(group.piece).token_at(group.first_position);
  int64_t place = 0;
  for (int64_t t = tokens.begin; t < tokens.end; ++t, place += group.head_count) {
    const int64_t position = group.first_position + t;
    std::memcpy(queries + place * dim, step.queries.row(first_token + t) + group.first_head * dim,
                static_cast<size_t>(group.head_count * dim) * sizeof(float));
    const int64_t begin = std::max(first_seen(past.keys, position), list.begin);
    const int64_t end = std::min(position + 1, list.end);
    std::fill_n(seen.begin() + place, group.head_count,
                kernels::RowRange{.begin = begin - list.begin, .end = end - list.begin});
  }
  return place;
}

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

int64_t scratch_floats_of(const kernels::RowFormat& key, int64_t value_dim) {
  return kernels::attend_scratch_floats(key, value_dim, kQueriesMax) + kQueriesMax * key.dim +
         2 * kQueriesMax * part_floats(value_dim) + waiting_floats(value_dim) +
         decoded_floats(key.dim, value_dim);
}

}  // namespace

int64_t grouped_scratch_floats(const kv::CacheLayout& layout, int64_t value_dim) {
  int64_t floats = 0;
  for (const kv::StreamLayout& stream : layout.streams) {
    floats = std::max(floats, scratch_floats_of(stream.format, value_dim));
  }
  return floats;
}

void Ops::attend_grouped(const GroupedAttendStep& step) {
  check_shapes(step);
  const Batch& batch = step.batch;
  const kv::StreamLayout& keys = batch.stream(step.key_stream);
  KVASIR_CHECK(scratch_floats_of(keys.format, step.value_dim) <= scratch_floats_,
               "the scratch memory was sized for as many queries");
  const GroupCut cut(batch, Past(step), step.queries.cols / keys.format.dim, thread_count());
  if (cut.segments() > 1 && cut.group_count() < 2 * thread_count()) {
    attend_few_groups(step, cut);
    return;
  }
  pool_.parallel_for(cut.group_count(), [&](int64_t index, int worker) {
    attend_group(step, cut.group(index), worker);
  });
}

// Puts the rows of a stream in one block that precedes the group's own, decoded -> decoded
// [kBlockTokens, dim].
void Ops::decode_block(const Batch& batch, int64_t stream_index, const AttendGroup& group,
                       int64_t block, float* decoded) const {
  const kv::StreamLayout& stream = batch.stream(stream_index);
  const kv::Sequence& sequence = *batch.piece(group.piece).sequence;
  table_.decode_coded(
      {.codec = stream.spec.codec, .shape = stream.vector_shape(), .row_count = kv::kBlockTokens},
      sequence.coded_vector(stream_index, block, group.vector), decoded);
  if (block == 0 && stream.spec.whole_rows > 0) {
    const std::byte* whole = sequence.whole_vector(stream_index, group.vector);
    table_.decode_rows(
        {.codec = kernels::CodecId::kF16, .dim = stream.spec.whole_rows * stream.spec.width},
        &whole, 1, decoded);
  }
  if (!stream.spec.is_before_rope) return;
  const int64_t width = stream.spec.width;
  for (int64_t i = 0; i < kv::kBlockTokens; ++i) {
    rotate_back(table_, stream.spec.rotation, rotation_block(stream.spec), decoded + i * width,
                width);
  }
}

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
    decode_block(batch, source.stream, group, segment, decoded);
  } else {
    list_rows(batch, source.stream, source.new_rows, group, list, rows);
    table_.decode_rows(stream.format, rows.data(), list.end - list.begin, decoded);
  }
  for (int64_t i = 0; i < list.end - list.begin; ++i) {
    rows[i] = reinterpret_cast<const std::byte*>(decoded + i * stream.format.dim);
  }
}

// Attends the rows of one segment for the tokens of the group that see any -> part, at the places
// that these queries have in the group. Returns the tokens.
TokenRange Ops::attend_segment(const GroupedAttendStep& step, const AttendGroup& group,
                               int64_t segment, const AttendedPart& part, int worker) {
  const Batch& batch = step.batch;
  const Past past(step);
  const kernels::RowFormat format = past.format(step);
  const int64_t dim = format.dim;
  const bool has_values = step.value_stream >= 0;
  const TokenRange tokens = tokens_that_see(past, group, segment);
  const RowList list = list_of(past, group, tokens, segment);
  const GroupScratch s(scratch(worker), dim, step.value_dim);
  ListedRows key_rows;
  ListedRows value_rows;
  if (past.is_decoded) {
    list_as_floats({batch, step.key_stream, step.new_keys, step.full_keys}, group, segment, list,
                   s.decoded_keys, key_rows);
    if (has_values) {
      list_as_floats({batch, step.value_stream, step.new_values, step.full_values}, group, segment,
                     list, s.decoded_values, value_rows);
    }
  } else {
    list_rows(batch, step.key_stream, step.new_keys, group, list, key_rows);
    if (has_values) {
      list_rows(batch, step.value_stream, step.new_values, group, list, value_rows);
    }
  }

  std::array<kernels::RowRange, kQueriesMax> seen;
  const int64_t place = place_queries(step, past, group, tokens, list, s.queries, seen);
  if (step.key_rope != nullptr) {
    turn_rows(*step.key_rope, list, s.decoded_keys, dim, key_rows);
    turn_queries_back(*step.key_rope, segment, s.queries, place, dim);
  }
  const AttendedPart target = from_query(part, tokens.begin * group.head_count, step.value_dim);
  table_.attend({.format = format,
                 .rows = key_rows.data(),
                 .values = has_values ? value_rows.data() : nullptr,
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
  const Past past(step);
  const SegmentRange segments = segments_of(past, group);
  for (int64_t segment = segments.begin; segment < segments.end; ++segment) {
    const TokenRange tokens = attend_segment(step, group, segment, s.wholes[1], worker);
    join_segment(step, group, tokens, s.wholes[1], s.wholes[0]);
  }
  put_attended(step, group, s.wholes[0]);
}

// Threads share out the segments: as many at once as there is room for parts that wait.
void Ops::attend_few_groups(const GroupedAttendStep& step, const GroupCut& cut) {
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const Past past(step);
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
    most = std::max(most, segments_of(past, group).count());
  }
  for (int64_t first = 0; first < most; first += at_once) {
    // Tasks that follow each other read neighbouring vectors of the same rows.
    pool_.parallel_for(groups * std::min(at_once, most - first), [&](int64_t task, int worker) {
      const AttendGroup group = cut.group(task % groups);
      const int64_t index = task / groups;
      const SegmentRange segments = segments_of(past, group);
      if (first + index >= segments.count()) return;
      attend_segment(step, group, segments.begin + first + index, part_of(task % groups, index),
                     worker);
    });
    pool_.parallel_for(groups, [&](int64_t task, int) {
      const AttendGroup group = cut.group(task);
      const SegmentRange segments = segments_of(past, group);
      const int64_t end = std::min(at_once, segments.count() - first);
      for (int64_t index = 0; index < end; ++index) {
        const int64_t segment = segments.begin + first + index;
        join_segment(step, group, tokens_that_see(past, group, segment), part_of(task, index),
                     whole_of(task));
      }
      if (first + at_once >= most) put_attended(step, group, whole_of(task));
    });
  }
}

}  // namespace kvasir::ops
