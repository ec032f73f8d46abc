#include "bench/serve/scenarios.h"

#include <algorithm>

#include "base/random.h"
#include "bench/serve/scenario_parts.h"

namespace kvasir::bench {
namespace {

constexpr Scenario kScenarios[] = {
    {"decode", "sessions decode together, and one alone", run_decode},
    {"arrival", "a long prompt comes while others decode", run_arrival},
    {"together", "requests with one long new prefix come at the same time", run_together},
    {"shared", "conversations with the same beginning take turns", run_shared},
    {"edit", "a message in the middle of a conversation changes", run_edit},
    {"restart", "the server stops and starts between two turns", run_restart},
    {"clients", "many clients, idle at first and slow readers then", run_clients},
};

TokenSources difference(const TokenSources& after, const TokenSources& before) {
  return {.is_known = after.is_known && before.is_known,
          .computed = after.computed - before.computed,
          .ram = after.ram - before.ram,
          .disk = after.disk - before.disk};
}

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

const Scenario* find_scenario(std::string_view name) {
  const auto* found =
      std::ranges::find_if(kScenarios, [&](const Scenario& one) { return one.name == name; });
  return found == std::end(kScenarios) ? nullptr : found;
}

Result<std::optional<ScenarioResult>> run_scenario(const Scenario& scenario, LoadTarget& target,
                                                   const LoadOptions& options) {
  const bool restarts = scenario.run == run_restart;
  if (restarts && !target.can_restart()) return std::optional<ScenarioResult>();
  const TokenSources before = target.sources();
  KVASIR_ASSIGN_OR_RETURN(ScenarioResult result, scenario.run(target, options));
  // A server that was started again has counted from 0.
  if (!restarts) result.sources = difference(target.sources(), before);
  result.scenario = scenario.name;
  result.target = target.name();
  return std::optional(std::move(result));
}

Status Answers::gather(LoadClient& client) {
  KVASIR_RETURN_IF_ERROR(client.run());
  for (const Answer& answer : list_) {
    if (answer.ok()) continue;
    return Error{.kind = ErrorKind::kIo, .what = "a request has failed", .found = answer.error};
  }
  return ok_status();
}

std::string text_of_tokens(const LoadTarget& target, uint64_t seed, int64_t tokens) {
  const double words = static_cast<double>(tokens) / target.tokens_per_word();
  return made_up_words(seed, std::max(int64_t{1}, static_cast<int64_t>(words)));
}

uint64_t text_seed(const LoadOptions& options, uint64_t number) {
  return mix_bits(options.seed) + number;
}

double first_token_ms(const Answer& answer) {
  return answer.token_ms.empty() ? answer.ended_ms : answer.token_ms.front();
}

}  // namespace kvasir::bench
