#include <algorithm>

#include "base/check.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

const kernels::RowFormat& format_of(const AttendStep& step) {
  const SeenRows& seen = step.seen;
  return step.batch.stream(seen.window_stream >= 0 ? seen.window_stream : seen.row_stream).format;
}

// Of the rows behind the window's.
const kernels::RowFormat& format_of_others(const AttendStep& step) {
  const int64_t stream = step.seen.row_stream;
  return stream >= 0 ? step.batch.stream(stream).format : format_of(step);
}

int64_t window_tokens_of(const AttendStep& step) {
  const int64_t stream = step.seen.window_stream;
  return stream < 0 ? 0 : step.batch.stream(stream).spec.window_tokens;
}

// Lists where the rows of a token's window lie, from the oldest on. Returns how many.
int64_t list_window(const AttendStep& step, int64_t token, const std::byte** rows) {
  const SeenRows& seen = step.seen;
  const BatchPiece& piece = step.batch.piece_of(token);
  const kv::Sequence& sequence = *piece.sequence;
  const int64_t position = step.batch.token(token).position;
  const int64_t window_tokens = window_tokens_of(step);
  int64_t count = 0;
  for (int64_t p = std::max<int64_t>(0, position - window_tokens + 1); p <= position; ++p) {
    rows[count++] = p < piece.first_position ? sequence.window_row(seen.window_stream, p)
                                             : seen.new_rows.row(piece.token_at(p));
  }
  return count;
}

int64_t count_others(const AttendStep& step, int64_t token) {
  const int64_t stream = step.seen.row_stream;
  if (stream < 0) return 0;
  return step.batch.stream(stream).is_cold() ? step.seen.picks.counts[token]
                                             : step.batch.complete_rows(token, stream);
}

// Lists where the other rows lie that the token sees. Returns how many.
int64_t list_others(const AttendStep& step, int64_t token, const std::byte** rows) {
  const SeenRows& seen = step.seen;
  const kv::Sequence& sequence = step.batch.sequence_of(token);
  const int64_t count = count_others(step, token);
  if (count == 0) return 0;
  if (!step.batch.stream(seen.row_stream).is_cold()) {
    for (int64_t row = 0; row < count; ++row) rows[row] = sequence.row(seen.row_stream, row);
  } else if (sequence.hot_part_count() > 0) {
    std::copy_n(seen.picks.places.row(token), count, rows);
  } else {
    const int32_t* picked = seen.picks.rows.row(token);
    for (int64_t i = 0; i < count; ++i) rows[i] = sequence.row(seen.row_stream, picked[i]);
  }
  return count;
}

int64_t rows_seen_max(const AttendStep& step, const TokenRange& tokens) {
  const int64_t window = window_tokens_of(step);
  int64_t most = 0;
  for (int64_t t = tokens.begin; t < tokens.end; ++t) {
    most =
        std::max(most, std::min(window, step.batch.token(t).position + 1) + count_others(step, t));
  }
  return most;
}

void check_shapes(const AttendStep& step, const TokenRange& tokens, int thread_count) {
  const int64_t n = step.batch.token_count();
  const kernels::RowFormat& format = format_of(step);
  KVASIR_CHECK(step.queries.rows == n && step.queries.cols % format.dim == 0 &&
                   step.value_dim <= format.dim &&
                   step.attended.has_shape(n, step.queries.cols / format.dim * step.value_dim) &&
                   (step.seen.window_stream < 0 || step.seen.new_rows.has_shape(n, format.bytes())),
               "shapes of an attended sum");
  KVASIR_CHECK(std::ssize(step.row_lists) == thread_count &&
                   step.row_lists.front().size() >= rows_seen_max(step, tokens),
               "room for the rows that a token sees");
  KVASIR_CHECK(format_of_others(step).dim == format.dim, "rows of one width");
}

// Every token reads rows of its own.
void add_attended(const AttendStep& step, const TokenRange& tokens, PartClock& clock) {
  const kernels::RowFormat& format = format_of(step);
  const int64_t heads = step.queries.cols / format.dim;
  for (int64_t t = tokens.begin; t < tokens.end; ++t) {
    const int64_t near = std::min(window_tokens_of(step), step.batch.token(t).position + 1);
    const int64_t others = count_others(step, t);
    clock.add(near * format.bytes() + others * format_of_others(step).bytes(),
              heads * (near + others) * (format.dim + step.value_dim));
  }
}

}  // namespace

void Ops::attend(const AttendStep& step, const TokenRange& tokens) {
  const int64_t n = tokens.end - tokens.begin;
  if (n == 0) return;
  check_shapes(step, tokens, thread_count());
  const kernels::RowFormat& format = format_of(step);
  const int64_t heads = step.queries.cols / format.dim;
  KVASIR_CHECK(kernels::attend_scratch_floats(format, 0, heads) <= scratch_floats_,
               "the scratch memory was sized for as many heads");
  const PartScope scope(clock_, PassPart::kAttention);
  if (clock_.is_running()) add_attended(step, tokens, clock_);
  // With fewer tokens than threads the heads of a token are shared out.
  const int64_t threads = thread_count();
  const int64_t parts = n >= threads ? 1 : std::min(heads, (threads + n - 1) / n);
  pool_.parallel_for(n * parts, [&](int64_t task, int worker) {
    const int64_t part = task % parts;
    attend_heads(step, tokens.begin + task / parts, heads * part / parts,
                 heads * (part + 1) / parts, worker);
  });
}

void Ops::attend_heads(const AttendStep& step, int64_t token, int64_t head_begin, int64_t head_end,
                       int worker) {
  const kernels::RowFormat& format = format_of(step);
  const kernels::RowFormat& others = format_of_others(step);
  const std::byte** rows = step.row_lists[static_cast<size_t>(worker)].data();
  const int64_t window_count = list_window(step, token, rows);
  const int64_t row_count = window_count + list_others(step, token, rows + window_count);
  float* attended = step.attended.row(token);
  table_.attend({.format = others,
                 .rows = rows,
                 .value_dim = step.value_dim,
                 .row_count = row_count,
                 .leading_count = others == format ? 0 : window_count,
                 .leading_format = format,
                 .q = step.queries.row(token),
                 .sinks = step.sinks,
                 .scale = step.scale,
                 .out = attended,
                 .scratch = scratch(worker)},
                head_begin, head_end);
  if (step.rope == nullptr) return;
  const RopeTable& rope = *step.rope;
  for (int64_t head = head_begin; head < head_end; ++head) {
    table_.rope(attended + (head + 1) * step.value_dim - rope.dim(), rope.cos(token),
                rope.negated_sin(token), rope.dim());
  }
}

}  // namespace kvasir::ops
