#include <numeric>

#include "base/check.h"
#include "kv/index_scan.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

kv::IndexQuestion question_of(const PickStep& step, int64_t token, const std::byte* query) {
  return {.stream = step.stream,
          .head_count = step.head_count,
          .query = query,
          .head_weights = step.head_weights.row(token),
          .row_count = step.batch.complete_rows(token, step.stream)};
}

void pick_all(const PickStep& step, int64_t token) {
  const int64_t count = step.batch.complete_rows(token, step.stream);
  int32_t* picked = step.picks.rows.row(token);
  KVASIR_DCHECK(count <= step.picks.rows.cols, "room for all rows that the token sees");
  std::iota(picked, picked + count, 0);
  step.picks.counts[token] = static_cast<int32_t>(count);
}

bool scores_rows(const PickStep& step, int64_t token) {
  return step.batch.complete_rows(token, step.stream) > step.picks.rows.cols;
}

void check_shapes(const PickStep& step, int thread_count) {
  const int64_t n = step.batch.token_count();
  const int64_t dim = step.batch.stream(step.stream).format.dim;
  KVASIR_CHECK(step.queries.has_shape(n, step.head_count * dim) &&
                   step.head_weights.has_shape(n, step.head_count) && step.picks.rows.rows == n,
               "shapes of a pick");
  KVASIR_CHECK(
      std::ssize(step.scores) == thread_count && std::ssize(step.encoded_queries) == thread_count,
      "a buffer for each thread");
}

// Keys that are scored, each with all heads of the queries.
void add_scored(const PickStep& step, PartClock& clock) {
  const kernels::RowFormat& format = step.batch.stream(step.stream).format;
  int64_t keys = 0;
  for (int64_t t = 0; t < step.batch.token_count(); ++t) {
    if (scores_rows(step, t)) keys += step.batch.complete_rows(t, step.stream);
  }
  clock.add(keys * format.bytes(), keys * step.head_count * format.dim);
}

}  // namespace

bool scores_any_rows(const PickStep& step) {
  for (int64_t t = 0; t < step.batch.token_count(); ++t) {
    if (scores_rows(step, t)) return true;
  }
  return false;
}

void Ops::pick_rows(const PickStep& step) {
  check_shapes(step, thread_count());
  const PartScope scope(clock_, PassPart::kPicking);
  if (clock_.is_running()) add_scored(step, clock_);
  const int64_t n = step.batch.token_count();
  // With fewer tokens than threads, as when decoding behind a long text, all threads share one
  // token's keys; else each thread takes tokens of its own.
  if (n >= thread_count() || !scores_any_rows(step)) {
    for_each_token(n, [&](int64_t t, int worker) { pick_on_one_thread(step, t, worker); });
    return;
  }
  for (int64_t t = 0; t < n; ++t) {
    if (!scores_rows(step, t)) {
      pick_all(step, t);
      continue;
    }
    score_rows(step, t);
    pick_best(step, t, step.scores[0].data());
  }
}

void Ops::score_rows(const PickStep& step, int64_t token) {
  std::byte* query = step.encoded_queries[0].data();
  encode_query(step, token, query);
  const kv::Sequence& sequence = step.batch.sequence_of(token);
  const kv::IndexQuestion question = question_of(step, token, query);
  KVASIR_CHECK(question.row_count <= step.scores[0].size(), "room for the scores");
  pool_.parallel_for(kv::scan_task_count(sequence, question), [&](int64_t task, int) {
    kv::run_scan_task(table_, sequence, question, task, step.scores[0].data());
  });
}

void Ops::pick_best(const PickStep& step, int64_t token, const float* scores) {
  const int64_t count = step.batch.complete_rows(token, step.stream);
  const int64_t k = step.picks.rows.cols;
  step.picks.counts[token] =
      static_cast<int32_t>(kernels::top_k(scores, count, k, step.picks.rows.row(token)));
}

void Ops::pick_on_one_thread(const PickStep& step, int64_t token, int worker) {
  if (!scores_rows(step, token)) return pick_all(step, token);
  std::byte* query = step.encoded_queries[static_cast<size_t>(worker)].data();
  AlignedBuffer<float>& scores = step.scores[static_cast<size_t>(worker)];
  encode_query(step, token, query);
  const kv::Sequence& sequence = step.batch.sequence_of(token);
  const kv::IndexQuestion question = question_of(step, token, query);
  KVASIR_CHECK(question.row_count <= scores.size(), "room for the scores");
  const int64_t tasks = kv::scan_task_count(sequence, question);
  for (int64_t task = 0; task < tasks; ++task)
    kv::run_scan_task(table_, sequence, question, task, scores.data());
  pick_best(step, token, scores.data());
}

void Ops::encode_query(const PickStep& step, int64_t token, std::byte* query) const {
  table_.encode_index_query(step.batch.stream(step.stream).format, step.queries.row(token),
                            step.head_count, query);
}

}  // namespace kvasir::ops
