#include "server/dialects/completion_reply.h"

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "server/dialects/openai_error.h"
#include "server/dialects/openai_fields.h"
#include "server/dialects/openai_reply.h"
#include "server/dialects/sse.h"
#include "server/dialects/token_logprobs.h"

namespace kvasir::server {
namespace {

constexpr const char* kIdPrefix = "cmpl-";
constexpr const char* kObject = "text_completion";

// What an event adds to the text of one choice.
struct Addition {
  int64_t choice = 0;
  std::string text;
};

// Gathers what events add, for both kinds of reply.
class Texts {
 public:
  Texts(const Call& call, ReplyFacts facts)
      : answer_count_(call.answer_count),
        wants_logprobs_(call.options.wants_logprobs),
        echoes_(call.wants_prompt_texts),
        prompt_texts_(std::move(facts.prompt_texts)),
        logprobs_(call.prompts.size() * static_cast<size_t>(call.answer_count),
                  CompletionLogprobs(facts.token_text, call.options.top_logprob_count)) {}

  int64_t choice_count() const { return std::ssize(logprobs_); }

  // A prompt that is repeated begins all its answers, though its event comes once.
  std::vector<Addition> additions(int64_t choice, const ServiceEvent& event) {
    if (event.kind == ServiceEvent::Kind::kStarted) return echo(choice, event);
    if (wants_logprobs_) logprobs(choice).add(event.piece.tokens);
    return {{.choice = choice, .text = event.piece.answer}};
  }

  bool has_logprobs(int64_t choice) { return !logprobs(choice).empty(); }
  Json take_logprobs(int64_t choice) { return wants_logprobs_ ? logprobs(choice).take() : Json(); }

 private:
  CompletionLogprobs& logprobs(int64_t choice) { return logprobs_[static_cast<size_t>(choice)]; }

  std::vector<Addition> echo(int64_t first, const ServiceEvent& event) {
    if (!echoes_) return {};
    const std::string& text = prompt_texts_[static_cast<size_t>(first / answer_count_)];
    std::vector<Addition> all;
    for (int64_t choice = first; choice < first + answer_count_; ++choice) {
      if (wants_logprobs_) logprobs(choice).add_prompt(event.prompt_logprobs, text);
      all.push_back({.choice = choice, .text = text});
    }
    return all;
  }

  const int64_t answer_count_;
  const bool wants_logprobs_;
  const bool echoes_;
  const std::vector<std::string> prompt_texts_;
  std::vector<CompletionLogprobs> logprobs_;  // of each choice
};

Json choice_json(int64_t choice, std::string text, Json logprobs, Json reason) {
  return Json::Object{{"index", choice},
                      {"text", std::move(text)},
                      {"logprobs", std::move(logprobs)},
                      {"finish_reason", std::move(reason)}};
}

class StreamedReply final : public Reply {
 public:
  StreamedReply(const Call& call, ReplyFacts facts)
      : stream_(OpenAiHead(kIdPrefix, facts), kObject, openai_call(call).includes_usage),
        texts_(call, std::move(facts)) {}

  // A first chunk without text would look like a first token.
  std::string begin() override { return sse_comment("accepted"); }

  std::string event(int64_t choice, const ServiceEvent& event) override {
    Json reason;
    if (event.kind == ServiceEvent::Kind::kEnded) reason = finish_reason_of(event.stop_reason);
    std::string out;
    for (Addition& one : texts_.additions(choice, event)) {
      const bool is_empty =
          one.text.empty() && reason.is_null() && !texts_.has_logprobs(one.choice);
      if (is_empty) continue;
      out += stream_.chunk(
          choice_json(one.choice, std::move(one.text), texts_.take_logprobs(one.choice), reason));
    }
    return out;
  }

  std::string finish(const ReplyEnd& end) override { return stream_.end(end); }
  std::string heartbeat(const ReplyProgress& progress) override {
    return stream_.heartbeat(choice_json(0, {}, {}, {}), progress);
  }
  // Without the mark of a good end.
  std::string fail(const ApiError& error) override {
    return sse_data(openai_error(error, "prompt"));
  }

 private:
  const OpenAiStream stream_;
  Texts texts_;
};

class WholeReply final : public Reply {
 public:
  WholeReply(const Call& call, ReplyFacts facts)
      : head_(kIdPrefix, facts),
        texts_(call, std::move(facts)),
        answers_(static_cast<size_t>(texts_.choice_count())) {}

  std::string begin() override { return {}; }

  std::string event(int64_t choice, const ServiceEvent& event) override {
    for (const Addition& one : texts_.additions(choice, event)) {
      answers_[static_cast<size_t>(one.choice)].text += one.text;
    }
    answers_[static_cast<size_t>(choice)].stop_reason = event.stop_reason;
    return {};
  }

  std::string finish(const ReplyEnd& end) override {
    Json::Array choices;
    for (Answer& answer : answers_) {
      const int64_t index = std::ssize(choices);
      choices.push_back(choice_json(index, std::move(answer.text), texts_.take_logprobs(index),
                                    finish_reason_of(answer.stop_reason)));
    }
    Json::Object object = head_.object(kObject);
    object.emplace_back("choices", std::move(choices));
    head_.add_end(end, object);
    return Json(std::move(object)).dump();
  }

  std::string heartbeat(const ReplyProgress&) override { return {}; }
  std::string fail(const ApiError& error) override { return openai_error(error, "prompt").dump(); }

 private:
  struct Answer {
    std::string text;
    StopReason stop_reason = StopReason::kTokenLimit;
  };

  const OpenAiHead head_;
  Texts texts_;
  std::vector<Answer> answers_;
};

}  // namespace

std::unique_ptr<Reply> completion_reply(const Call& call, ReplyFacts facts) {
  if (call.streams) return std::make_unique<StreamedReply>(call, std::move(facts));
  return std::make_unique<WholeReply>(call, std::move(facts));
}

}  // namespace kvasir::server
