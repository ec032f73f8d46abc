// Scenarios about those who decode: many at once, and beside a long prompt.
#include <algorithm>

#include "bench/serve/scenario_parts.h"

namespace kvasir::bench {
namespace {

constexpr int64_t kShortTokens = 64;
constexpr int kAloneCount = 3;
constexpr uint64_t kDecodeTexts = 1000;
constexpr uint64_t kArrivalTexts = 2000;
constexpr uint64_t kTogetherTexts = 3000;
constexpr size_t kTokensBeforeArrival = 8;
constexpr int64_t kEndlessTokens = 2048;
constexpr int64_t kFewTokens = 4;

Ask short_ask(const LoadTarget& target, uint64_t seed, int64_t tokens_max) {
  return completion(target.model(), text_of_tokens(target, seed, kShortTokens), tokens_max);
}

// One after the other; the median.
Result<double> rate_alone(LoadTarget& target, const LoadOptions& options) {
  std::vector<double> rates;
  for (uint64_t i = 0; i < kAloneCount; ++i) {
    Answers one;
    target.client().start(
        short_ask(target, text_seed(options, kDecodeTexts + i), options.decode_tokens), one.sink());
    KVASIR_RETURN_IF_ERROR(one.gather(target.client()));
    rates.push_back(rate_together(one.list()));
  }
  std::ranges::sort(rates);
  return rates[kAloneCount / 2];
}

}  // namespace

Result<ScenarioResult> run_decode(LoadTarget& target, const LoadOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const double alone, rate_alone(target, options));
  Answers answers;
  for (int64_t i = 0; i < options.sessions; ++i) {
    const uint64_t seed = text_seed(options, kDecodeTexts + kAloneCount + i);
    target.client().start(short_ask(target, seed, options.decode_tokens), answers.sink());
  }
  KVASIR_RETURN_IF_ERROR(answers.gather(target.client()));
  const double together = rate_together(answers.list());
  return ScenarioResult{.figures = figures_of(answers.list(), options.bounds),
                        .own = {{"alone", alone, "tokens/s"},
                                {"together", together, "tokens/s"},
                                {"times", alone > 0 ? together / alone : 0, ""}}};
}

Result<ScenarioResult> run_arrival(LoadTarget& target, const LoadOptions& options) {
  LoadClient& client = target.client();
  Answers decoding;
  Answer arrived;
  int64_t started = 0;
  const std::string prompt =
      text_of_tokens(target, text_seed(options, kArrivalTexts), options.long_tokens);
  const auto arrive = [&] {
    client.start(completion(target.model(), prompt, 1), [&](const Answer& answer) {
      arrived = answer;
      client.stop_all();
    });
  };
  for (int64_t i = 0; i < options.sessions; ++i) {
    client.start(short_ask(target, text_seed(options, kArrivalTexts + 1 + i), kEndlessTokens),
                 decoding.sink(), [&](const Answer& answer) {
                   const bool is_now = answer.token_ms.size() == kTokensBeforeArrival;
                   if (is_now && ++started == options.sessions) arrive();
                 });
  }
  KVASIR_RETURN_IF_ERROR(decoding.gather(client));
  const LoadFigures figures = figures_of(decoding.list(), options.bounds);
  return ScenarioResult{
      .figures = figures,
      .own = {{"worst_gap", figures.gap_ms.worst, "ms"},
              {"long_first_token", first_token_ms(arrived), "ms"},
              {"long_prompt", static_cast<double>(arrived.prompt_tokens), "tokens"}}};
}

// What they cost in prefills: the tokens that were computed, by those of one prompt.
Result<ScenarioResult> run_together(LoadTarget& target, const LoadOptions& options) {
  const std::string prefix =
      text_of_tokens(target, text_seed(options, kTogetherTexts), options.long_tokens);
  Answers answers;
  for (int64_t i = 0; i < options.sessions; ++i) {
    const std::string tail = made_up_words(text_seed(options, kTogetherTexts + 1 + i), 8);
    target.client().start(completion(target.model(), prefix + " " + tail, kFewTokens),
                          answers.sink());
  }
  KVASIR_RETURN_IF_ERROR(answers.gather(target.client()));
  ScenarioResult result{.figures = figures_of(answers.list(), options.bounds)};
  const LoadFigures& figures = result.figures;
  if (figures.cached_tokens >= 0 && figures.prompt_tokens > 0) {
    const auto computed = static_cast<double>(figures.prompt_tokens - figures.cached_tokens);
    const auto one =
        static_cast<double>(figures.prompt_tokens) / static_cast<double>(figures.requests);
    result.own.push_back({"prefills", computed / one, ""});
  }
  return result;
}

}  // namespace kvasir::bench
