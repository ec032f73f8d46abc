// An EvalRun is one way to run the model, which an evaluation compares with others: a cache
// precision, or a part of the cache hidden.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::eval {

struct EvalRun {
  std::string name;  // native, bf16, f16, f32, window-only, no-csa, no-hca, top-k-N
  std::string kv = "native";
  VisibleRows visible_rows;
};

// All but the first four are in native precision. Error: an unknown name, the same name twice.
Result<std::vector<EvalRun>> parse_eval_runs(const std::vector<std::string>& names);

// Opens an engine for a run, with everything else as the user asked.
using OpenEngine = std::function<Result<Engine>(const EvalRun& run)>;

}  // namespace kvasir::eval
