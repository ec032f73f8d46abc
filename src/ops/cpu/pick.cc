#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "kv/index_scan.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

// What tokens that follow each other in one sequence ask together.
kv::IndexQuestion question_of(const PickStep& step, const TokenRange& tokens,
                              const std::byte* query) {
  const int64_t row_count = step.batch.complete_rows(tokens.end - 1, step.stream);
  return {.stream = step.stream,
          .head_count = step.head_count,
          .query_count = tokens.end - tokens.begin,
          .query = query,
          .head_weights = step.head_weights.row(tokens.begin),
          .row_count = row_count,
          .score_stride = row_count};
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
    const int64_t stride =
        std::min(tokens_per_task(n), kernels::index_queries_at_once(step.head_count));
    pool_.parallel_for((n + stride - 1) / stride, [&](int64_t task, int worker) {
      pick_on_one_thread(step, {task * stride, std::min(n, (task + 1) * stride)}, worker);
    });
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
  const kv::IndexQuestion question = ask(step, {token, token + 1}, 0);
  const kv::Sequence& sequence = step.batch.sequence_of(token);
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

void Ops::pick_on_one_thread(const PickStep& step, const TokenRange& tokens, int worker) {
  for (int64_t t = tokens.begin; t < tokens.end;) {
    if (!scores_rows(step, t)) {
      pick_all(step, t++);
      continue;
    }
    // Those of one sequence: what one sees, the next ones see too.
    int64_t end = t + 1;
    while (end < tokens.end && step.batch.token(end).piece == step.batch.token(t).piece) ++end;
    score_on_one_thread(step, {t, end}, worker);
    t = end;
  }
}

void Ops::score_on_one_thread(const PickStep& step, const TokenRange& tokens, int worker) {
  const kv::IndexQuestion question = ask(step, tokens, worker);
  const kv::Sequence& sequence = step.batch.sequence_of(tokens.begin);
  float* scores = step.scores[static_cast<size_t>(worker)].data();
  const int64_t tasks = kv::scan_task_count(sequence, question);
  for (int64_t task = 0; task < tasks; ++task)
    kv::run_scan_task(table_, sequence, question, task, scores);
  for (int64_t t = tokens.begin; t < tokens.end; ++t, scores += question.score_stride)
    pick_best(step, t, scores);
}

kv::IndexQuestion Ops::ask(const PickStep& step, const TokenRange& tokens, int worker) const {
  AlignedBuffer<std::byte>& queries = step.encoded_queries[static_cast<size_t>(worker)];
  const kv::IndexQuestion question = question_of(step, tokens, queries.data());
  const kernels::RowFormat& format = step.batch.stream(step.stream).format;
  const int64_t query_bytes = kernels::index_query_bytes(format, step.head_count);
  KVASIR_CHECK(question.query_count * query_bytes <= queries.size(), "room for the queries");
  KVASIR_CHECK(
      question.query_count * question.row_count <= step.scores[static_cast<size_t>(worker)].size(),
      "room for the scores");
  std::byte* query = queries.data();
  for (int64_t t = tokens.begin; t < tokens.end; ++t, query += query_bytes)
    table_.encode_index_query(format, step.queries.row(t), step.head_count, query);
  return question;
}

}  // namespace kvasir::ops
