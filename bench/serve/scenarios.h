// Scenarios are what a server is put through: each loads a target with requests of one kind and
// says what its clients saw, and what that kind is about. They belong to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/serve/load_figures.h"
#include "bench/serve/load_target.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct LoadOptions {
  uint64_t seed = 1;  // other seeds, other texts: nothing of them is cached yet
  int64_t sessions = 8;
  int64_t decode_tokens = 256;   // of each session that decodes
  int64_t long_tokens = 20'000;  // about so many, of a long prompt
  int64_t turns = 4;             // of each conversation
  int64_t clients = 1000;        // at the same time, idle and slow
  LoadBounds bounds;
};

// What a scenario is about, besides what all have: "worst_gap", 212.0, "ms".
struct ScenarioFigure {
  std::string name;
  double value = 0;
  std::string unit;  // "" is a plain number
};

struct ScenarioResult {
  std::string scenario;
  std::string target;
  LoadFigures figures;
  TokenSources sources;  // of this scenario's prompts
  std::vector<ScenarioFigure> own;
};

struct Scenario {
  const char* name;
  const char* about;
  Result<ScenarioResult> (*run)(LoadTarget& target, const LoadOptions& options);
};

// In the order in which they run.
std::span<const Scenario> scenarios();
const Scenario* find_scenario(std::string_view name);

// Runs one and adds what all have in common. Nothing: it cannot be run with this target.
Result<std::optional<ScenarioResult>> run_scenario(const Scenario& scenario, LoadTarget& target,
                                                   const LoadOptions& options);

}  // namespace kvasir::bench
