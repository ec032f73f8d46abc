#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "kernels/limits.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

using kernels::kAttendTileRows;

// Queries, each a head of a token, that share the decoded rows of a tile; and of how many tokens at
// most, so that short prompts still make work for all threads.
constexpr int64_t kQueriesMax = 64;
constexpr int64_t kTokensMax = 16;

// How the heads and tokens of a batch are cut into groups.
struct Cut {
  int64_t heads_per_vector = 0;
  int64_t heads = 0;  // of a group, at most
  int64_t parts = 0;  // of a vector's heads
  int64_t tokens = 0;

  explicit Cut(int64_t heads_of_vector)
      : heads_per_vector(heads_of_vector),
        heads(std::min(heads_of_vector, kQueriesMax)),
        parts((heads_of_vector + heads - 1) / heads),
        tokens(std::min(kTokensMax, kQueriesMax / heads)) {}

  int64_t groups_of(const BatchPiece& piece) const {
    return (piece.token_count + tokens - 1) / tokens;
  }
};

// The tokens of group `index`, counted over all pieces.
AttendGroup tokens_of_group(const Batch& batch, const Cut& cut, int64_t index) {
  AttendGroup group;
  while (index >= cut.groups_of(batch.piece(group.piece))) {
    index -= cut.groups_of(batch.piece(group.piece++));
  }
  const BatchPiece& piece = batch.piece(group.piece);
  group.first_position = piece.first_position + index * cut.tokens;
  group.token_count = std::min(cut.tokens, piece.end_position() - group.first_position);
  return group;
}

// The rows that a group sees: list place 0 is position `begin`, at which a tile begins.
struct RowList {
  int64_t begin = 0;
  int64_t first_seen = 0;  // places before this position are there for the tiles' sake
  int64_t end = 0;
};

int64_t first_seen(const kv::Stream& stream, int64_t position) {
  return stream.reach == kv::Reach::kWindow
             ? std::max<int64_t>(0, position - stream.window_tokens + 1)
             : 0;
}

RowList list_of(const kv::Stream& stream, const AttendGroup& group) {
  const int64_t first = first_seen(stream, group.first_position);
  return {.begin = first / kAttendTileRows * kAttendTileRows,
          .first_seen = first,
          .end = group.first_position + group.token_count};
}

// Lists where the vectors lie.
void list_rows(const Batch& batch, int64_t stream_index, View<const std::byte> new_rows,
               const AttendGroup& group, const RowList& list, const std::byte** rows) {
  const kv::StreamLayout& stream = batch.stream(stream_index);
  const BatchPiece& piece = batch.piece(group.piece);
  const kv::Sequence& sequence = *piece.sequence;
  const int64_t offset = group.vector * stream.format.bytes();
  const auto row_of = [&](int64_t position) {
    if (stream.is_in_blocks()) return sequence.row(stream_index, position);
    return position < piece.first_position ? sequence.window_row(stream_index, position)
                                           : new_rows.row(piece.token_at(position));
  };
  for (int64_t position = list.first_seen; position < list.end; ++position) {
    rows[position - list.begin] = row_of(position) + offset;
  }
  std::fill_n(rows, list.first_seen - list.begin, rows[list.first_seen - list.begin]);
}

void check_shapes(const GroupedAttendStep& step, int64_t length_max, int thread_count) {
  const int64_t n = step.batch.token_count();
  const kv::StreamLayout& keys = step.batch.stream(step.key_stream);
  const int64_t vectors = keys.spec.vectors;
  KVASIR_CHECK(step.queries.rows == n && step.queries.cols % (vectors * keys.format.dim) == 0 &&
                   step.attended.has_shape(n, step.queries.cols / keys.format.dim * step.value_dim),
               "shapes of an attended sum");
  KVASIR_CHECK(std::ssize(step.row_lists) == thread_count &&
                   step.row_lists.front().size() >= grouped_list_size(length_max),
               "room for the rows that a token sees");
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

int64_t length_of(const Batch& batch) {
  int64_t length = 0;
  for (const BatchPiece& piece : batch.pieces()) length = std::max(length, piece.end_position());
  return length;
}

}  // namespace

int64_t grouped_scratch_floats(const kernels::RowFormat& key, int64_t value_dim) {
  return kernels::attend_scratch_floats(key, value_dim, kQueriesMax) +
         kQueriesMax * (key.dim + value_dim + 1);
}

int64_t grouped_list_size(int64_t length) { return 2 * (length + kAttendTileRows); }

void Ops::attend_grouped(const GroupedAttendStep& step) {
  const Batch& batch = step.batch;
  check_shapes(step, length_of(batch), thread_count());
  const kv::StreamLayout& keys = batch.stream(step.key_stream);
  KVASIR_CHECK(grouped_scratch_floats(keys.format, step.value_dim) <= scratch_floats_,
               "the scratch memory was sized for as many queries");
  const int64_t vectors = keys.spec.vectors;
  const Cut cut(step.queries.cols / keys.format.dim / vectors);
  int64_t groups = 0;
  for (const BatchPiece& piece : batch.pieces()) groups += cut.groups_of(piece);
  pool_.parallel_for(groups * vectors * cut.parts, [&](int64_t task, int worker) {
    AttendGroup group = tokens_of_group(batch, cut, task / (vectors * cut.parts));
    const int64_t part = task % cut.parts;
    group.vector = task / cut.parts % vectors;
    group.first_head = group.vector * cut.heads_per_vector + part * cut.heads;
    group.head_count =
        std::min(cut.heads, (group.vector + 1) * cut.heads_per_vector - group.first_head);
    attend_group(step, group, worker);
  });
}

void Ops::attend_group(const GroupedAttendStep& step, const AttendGroup& group, int worker) {
  const Batch& batch = step.batch;
  const kv::StreamLayout& keys = batch.stream(step.key_stream);
  const int64_t dim = keys.format.dim;
  const RowList list = list_of(keys.spec, group);
  const std::byte** key_rows = step.row_lists[static_cast<size_t>(worker)].data();
  const std::byte** value_rows = key_rows + (list.end - list.begin);
  list_rows(batch, step.key_stream, step.new_keys, group, list, key_rows);
  if (step.value_stream >= 0) {
    list_rows(batch, step.value_stream, step.new_values, group, list, value_rows);
  }

  float* queries = scratch(worker);
  float* attended = queries + kQueriesMax * dim;
  float* sinks = attended + kQueriesMax * step.value_dim;
  std::array<kernels::RowRange, kQueriesMax> seen;
  const int64_t first_token = batch.piece(group.piece).token_at(group.first_position);
  for (int64_t t = 0; t < group.token_count; ++t) {
    const int64_t position = group.first_position + t;
    const int64_t place = t * group.head_count;
    std::memcpy(queries + place * dim, step.queries.row(first_token + t) + group.first_head * dim,
                static_cast<size_t>(group.head_count * dim) * sizeof(float));
    if (step.sinks != nullptr) {
      std::copy_n(step.sinks + group.first_head, group.head_count, sinks + place);
    }
    std::fill_n(seen.begin() + place, group.head_count,
                kernels::RowRange{.begin = first_seen(keys.spec, position) - list.begin,
                                  .end = position + 1 - list.begin});
  }
  table_.attend({.format = keys.format,
                 .rows = key_rows,
                 .values = step.value_stream >= 0 ? value_rows : nullptr,
                 .value_dim = step.value_dim,
                 .row_count = list.end - list.begin,
                 .seen = seen.data(),
                 .q = queries,
                 .sinks = step.sinks != nullptr ? sinks : nullptr,
                 .scale = step.scale,
                 .soft_cap = step.soft_cap,
                 .out = attended,
                 .scratch = sinks + kQueriesMax},
                0, group.token_count * group.head_count);
  for (int64_t t = 0; t < group.token_count; ++t) {
    std::memcpy(step.attended.row(first_token + t) + group.first_head * step.value_dim,
                attended + t * group.head_count * step.value_dim,
                static_cast<size_t>(group.head_count * step.value_dim) * sizeof(float));
  }
}

}  // namespace kvasir::ops
