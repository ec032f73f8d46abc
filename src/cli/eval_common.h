// What the evaluations share: the log that a stopped one goes on from, and what the user sees of it
// while it runs.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "eval/pieces.h"
#include "eval/result_log.h"
#include "kvasir/result.h"

namespace kvasir::cli {

// What the numbers of an evaluation depend on; texts by what they say, not by their names.
struct EvalSubject {
  const char* evaluation;
  const ModelFlags& model;
  const char* instruction_set;
  Json details;
  std::string_view texts;
};

// Error: those of the log; the model's files cannot be listed.
Result<eval::ResultLog> open_eval_log(const std::string& path, EvalSubject subject);

// An EvalWatch is a progress line that Ctrl-C stops, while it lives.
class EvalWatch {
 public:
  explicit EvalWatch(const char* label) : line_(label) {}

  eval::EvalProgress progress() {
    return [this](int64_t done, int64_t total) {
      line_.show(done, total);
      return !interrupt_.interrupted();
    };
  }
  const std::atomic<bool>* interrupted() const { return interrupt_.flag(); }
  void erase_line() { line_.erase(); }

 private:
  InterruptGuard interrupt_;
  ProgressLine line_;
};

}  // namespace kvasir::cli
