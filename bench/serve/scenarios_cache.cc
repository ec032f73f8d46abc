// Scenarios about what is not computed again: conversations with one beginning, a message that
// changes, a server that starts again.
#include <functional>
#include <memory>

#include "bench/serve/scenario_parts.h"

namespace kvasir::bench {
namespace {

constexpr int64_t kAnswerTokens = 32;
constexpr int64_t kMessageTokens = 64;
// Not every server can be told to go on where a model would rather end.
constexpr const char* kWish = ". Tell me a long story in which all these words occur.";
constexpr uint64_t kSharedTexts = 4000;
constexpr uint64_t kEditTexts = 5000;
constexpr uint64_t kRestartTexts = 6000;
constexpr uint64_t kTextsOfOne = 100;

// A Talk takes turn after turn: what was answered stands in the next request.
class Talk {
 public:
  Talk(LoadTarget& target, const LoadOptions& options, uint64_t first_text)
      : target_(target), options_(options), next_text_(first_text) {}

  void instruct(const std::string& text) { turns_.emplace_back("system", text); }
  void say(int64_t tokens) {
    const std::string words = text_of_tokens(target_, text_seed(options_, next_text_++), tokens);
    turns_.emplace_back("user", words + kWish);
  }
  Ask ask() const { return chat_completion(target_.model(), turns_, kAnswerTokens); }
  void hear(const Answer& answer) { turns_.emplace_back("assistant", answer.text); }
  Turns& turns() { return turns_; }

  // Asks and waits.
  Status ask_now(Answers& answers) {
    target_.client().start(ask(), answers.sink());
    return answers.gather(target_.client());
  }

 private:
  LoadTarget& target_;
  const LoadOptions& options_;
  uint64_t next_text_;
  Turns turns_;
};

double cached_share(const Answer& answer) {
  if (answer.prompt_tokens == 0 || answer.cached_tokens < 0) return 0;
  return 100 * static_cast<double>(answer.cached_tokens) /
         static_cast<double>(answer.prompt_tokens);
}

void add_turn(std::vector<ScenarioFigure>& to, const std::string& name, const Answer& answer) {
  to.push_back({name + "_first_token", first_token_ms(answer), "ms"});
  if (answer.cached_tokens >= 0) to.push_back({name + "_cached", cached_share(answer), "%"});
}

}  // namespace

Result<ScenarioResult> run_shared(LoadTarget& target, const LoadOptions& options) {
  Answers answers;
  const std::string beginning =
      text_of_tokens(target, text_seed(options, kSharedTexts), options.long_tokens / 5);
  std::vector<Talk> talks;
  for (int64_t i = 0; i < options.sessions; ++i) {
    talks.emplace_back(target, options, kSharedTexts + 1 + kTextsOfOne * i);
    talks.back().instruct(beginning);
  }
  const std::function<void(Talk&, int64_t)> take_turn = [&](Talk& talk, int64_t left) {
    talk.say(kMessageTokens);
    target.client().start(talk.ask(), [&, left](const Answer& answer) {
      answers.sink()(answer);
      talk.hear(answer);
      if (left > 1 && answer.ok()) take_turn(talk, left - 1);
    });
  };
  for (Talk& talk : talks) take_turn(talk, options.turns);
  KVASIR_RETURN_IF_ERROR(answers.gather(target.client()));
  return ScenarioResult{.figures = figures_of(answers.list(), options.bounds)};
}

// The first half of the conversation stays, the second comes after other words; then back again.
Result<ScenarioResult> run_edit(LoadTarget& target, const LoadOptions& options) {
  Answers answers;
  Talk talk(target, options, kEditTexts);
  const int64_t message_tokens = options.long_tokens / (2 * options.turns);
  for (int64_t i = 0; i < options.turns; ++i) {
    talk.say(message_tokens);
    KVASIR_RETURN_IF_ERROR(talk.ask_now(answers));
    if (i + 1 < options.turns) talk.hear(answers.list().back());
  }
  std::string& middle = talk.turns()[static_cast<size_t>(options.turns / 2 * 2)].second;
  const std::string original = middle;
  middle = "Instead: " + original;
  KVASIR_RETURN_IF_ERROR(talk.ask_now(answers));
  middle = original;
  KVASIR_RETURN_IF_ERROR(talk.ask_now(answers));
  ScenarioResult result{.figures = figures_of(answers.list(), options.bounds)};
  add_turn(result.own, "edited", answers.list()[answers.list().size() - 2]);
  add_turn(result.own, "back", answers.list().back());
  return result;
}

Result<ScenarioResult> run_restart(LoadTarget& target, const LoadOptions& options) {
  Answers answers;
  Talk talk(target, options, kRestartTexts);
  const auto turn = [&](int64_t tokens) {
    talk.say(tokens);
    const Status status = talk.ask_now(answers);
    if (status.ok()) talk.hear(answers.list().back());
    return status;
  };
  KVASIR_RETURN_IF_ERROR(turn(options.long_tokens));
  KVASIR_RETURN_IF_ERROR(turn(kMessageTokens));
  KVASIR_RETURN_IF_ERROR(target.restart());
  KVASIR_RETURN_IF_ERROR(turn(kMessageTokens));
  ScenarioResult result{.figures = figures_of(answers.list(), options.bounds),
                        .sources = target.sources()};
  add_turn(result.own, "cold", answers.list()[0]);
  add_turn(result.own, "warm", answers.list()[1]);
  add_turn(result.own, "restarted", answers.list()[2]);
  return result;
}

}  // namespace kvasir::bench
