// evaluate_recall asks a model about facts that lie far back in its context. Documents follow from
// a seed. Each is read once, every question is asked in a fork of that session, and an answer must
// be exact.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/json.h"
#include "eval/estimate.h"
#include "eval/eval_run.h"
#include "eval/pieces.h"
#include "eval/recall_document.h"
#include "eval/result_log.h"
#include "kvasir/result.h"

namespace kvasir::eval {

inline constexpr int64_t kDepthCount = 5;  // fifths of the part of a document that holds facts

struct RecallOptions {
  std::vector<int64_t> lengths = {4096, 16384, 32768};
  int64_t documents_per_length = 8;
  int64_t fact_count = 32;
  int64_t tail_tokens = 1024;
  uint64_t seed = 1;
  int64_t answer_tokens_max = 24;
  const std::atomic<bool>* interrupted = nullptr;  // seen inside an answer; `progress` between them
};

// A Tally counts the right answers to some questions.
struct Tally {
  int64_t right = 0;
  int64_t count = 0;
  Estimate estimate() const { return share(right, count); }
};

// One run at one length.
struct RecallCell {
  int64_t length_tokens = 0;
  Tally stated;
  Tally updated;
  Tally absent;
  Tally depths[kDepthCount];  // stated and updated
  // Against the first run, question by question: the difference of the shares of right answers.
  // None in the first run.
  Estimate difference;
  // Against the first run too: KL(first || this one) of the tokens of right answers, nats a token,
  // over questions with an answer. Exactly 0 where the same is predicted.
  Estimate kl;
  int64_t kv_bytes = 0;  // of the last document

  Tally answerable() const;
};

struct RecallRow {
  EvalRun run;
  std::vector<RecallCell> cells;  // one per length
};

// The settings that a log to be continued must have. What it holds of other runs is compared with
// the first one.
Json recall_settings(const RecallOptions& options, const EvalRun& first_run);

// Rows in the order of `runs`. The same documents in every run. Errors: those of the engine, of the
// log, no room for the first run's predictions, facts that do not fit, interrupted.
Result<std::vector<RecallRow>> evaluate_recall(const RecallTask& task, const Prose& prose,
                                               const RecallOptions& options,
                                               const std::vector<EvalRun>& runs,
                                               const OpenEngine& open_engine, ResultLog& log,
                                               const EvalProgress& progress);

}  // namespace kvasir::eval
