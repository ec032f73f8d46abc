// What the scenarios share. Each run_...() is one of them, for the table in scenarios.cc.
#pragma once

#include <string>
#include <vector>

#include "bench/serve/load_prompts.h"
#include "bench/serve/scenarios.h"

namespace kvasir::bench {

// Answers gathers what clients saw, in the order of their ends.
class Answers {
 public:
  // A sink for LoadClient::start; must not outlive this.
  LoadClient::OnAnswer sink() {
    return [this](const Answer& answer) { list_.push_back(answer); };
  }
  const std::vector<Answer>& list() const { return list_; }
  // Runs the client until all have come. Error: a request has failed.
  Status gather(LoadClient& client);

 private:
  std::vector<Answer> list_;
};

// Made-up words of about so many tokens.
std::string text_of_tokens(const LoadTarget& target, uint64_t seed, int64_t tokens);
// A seed of its own for each text of a run.
uint64_t text_seed(const LoadOptions& options, uint64_t number);

// Milliseconds to the first text.
double first_token_ms(const Answer& answer);

Result<ScenarioResult> run_decode(LoadTarget& target, const LoadOptions& options);
Result<ScenarioResult> run_arrival(LoadTarget& target, const LoadOptions& options);
Result<ScenarioResult> run_together(LoadTarget& target, const LoadOptions& options);
Result<ScenarioResult> run_shared(LoadTarget& target, const LoadOptions& options);
Result<ScenarioResult> run_restart(LoadTarget& target, const LoadOptions& options);
Result<ScenarioResult> run_edit(LoadTarget& target, const LoadOptions& options);
Result<ScenarioResult> run_clients(LoadTarget& target, const LoadOptions& options);

}  // namespace kvasir::bench
