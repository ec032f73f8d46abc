// An EvalRun is one way to run the model, which an evaluation compares with others: a cache
// precision, a part of the cache hidden, or both.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::eval {

struct EvalRun {
  // Parts joined by '+': window-only, no-csa, no-hca, top-k-N, and what `--kv` says, of which the
  // parts that name a precision are joined by commas. For example i=sign-keys+top-k-8.
  std::string name;
  std::string kv = "native";
  VisibleRows visible_rows;

  bool hides_rows() const { return visible_rows != VisibleRows(); }
};

// A run that names no precision is in the native one. Error: an empty part, a top-k that is no
// number, the same name twice; an engine refuses other precisions than those it knows.
Result<std::vector<EvalRun>> parse_eval_runs(const std::vector<std::string>& names);

// Opens an engine for a run, with everything else as the user asked.
using OpenEngine = std::function<Result<Engine>(const EvalRun& run)>;

}  // namespace kvasir::eval
