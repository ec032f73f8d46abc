#include "server/dialects/chat_reply.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/dialects/chat_calls.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/openai_fields.h"
#include "server/dialects/openai_reply.h"
#include "server/dialects/sse.h"
#include "server/dialects/token_logprobs.h"

namespace kvasir::server {
namespace {

constexpr const char* kIdPrefix = "chatcmpl-";

Json logprobs_json(Json::Array content) {
  return Json::Object{{"content", std::move(content)}, {"refusal", Json()}};
}

Json delta_json(int64_t choice, Json::Object delta, Json logprobs = {}, Json reason = {}) {
  return Json::Object{{"index", choice},
                      {"delta", std::move(delta)},
                      {"logprobs", std::move(logprobs)},
                      {"finish_reason", std::move(reason)}};
}

std::vector<ChatCalls> calls_of(const Call& call, const std::string& reply_id) {
  std::vector<ChatCalls> calls;
  for (int64_t i = 0; i < call.answer_count; ++i) {
    calls.emplace_back(openai_call(call), reply_id, i);
  }
  return calls;
}

class StreamedReply final : public Reply {
 public:
  StreamedReply(const Call& call, ReplyFacts facts)
      : asked_(call.own),
        stream_(OpenAiHead(kIdPrefix, facts), "chat.completion.chunk",
                openai_call(call).includes_usage),
        token_text_(std::move(facts.token_text)),
        calls_(calls_of(call, facts.id)) {}

  // Clients number the answers by the order in which they first hear of them.
  std::string begin() override {
    std::string out;
    for (int64_t i = 0; i < std::ssize(calls_); ++i) {
      out += stream_.chunk(delta_json(i, {{"role", "assistant"}, {"content", ""}}));
    }
    return out;
  }

  std::string event(int64_t choice, const ServiceEvent& event) override {
    ChatCalls& calls = calls_[static_cast<size_t>(choice)];
    std::string out = piece(choice, event.piece, calls);
    if (event.kind == ServiceEvent::Kind::kEnded) {
      out += stream_.chunk(delta_json(choice, {}, {}, calls.finish_reason(event.stop_reason)));
    }
    return out;
  }

  std::string finish(const ReplyEnd& end) override { return stream_.end(end); }
  std::string heartbeat(const ReplyProgress& progress) override {
    return stream_.heartbeat(delta_json(0, {}), progress);
  }
  // Without the mark of a good end.
  std::string fail(const ApiError& error) override {
    return sse_data(openai_error(error, "messages"));
  }

 private:
  // Log-probabilities go with the first text that the piece has.
  std::string piece(int64_t choice, const GenerationPiece& piece, ChatCalls& calls) const {
    Json logprobs;
    if (!piece.tokens.empty()) logprobs = logprobs_json(chat_logprobs(piece.tokens, token_text_));
    std::string out;
    const auto add = [&](Json::Object delta) {
      out += stream_.chunk(delta_json(choice, std::move(delta), std::exchange(logprobs, {})));
    };
    if (!piece.reasoning.empty()) add({{"reasoning_content", piece.reasoning}});
    if (!piece.answer.empty()) add({{"content", piece.answer}});
    for (const CallPiece& part : piece.calls) {
      for (Json::Object& delta : calls.take(part)) add(std::move(delta));
    }
    if (!logprobs.is_null()) add({});
    return out;
  }

  const std::shared_ptr<const void> asked_;  // what the calls refer to
  const OpenAiStream stream_;
  const TokenText token_text_;
  std::vector<ChatCalls> calls_;  // [answers]
};

class WholeReply final : public Reply {
 public:
  WholeReply(const Call& call, ReplyFacts facts)
      : asked_(call.own),
        head_(kIdPrefix, facts),
        token_text_(std::move(facts.token_text)),
        wants_logprobs_(call.options.wants_logprobs) {
    for (ChatCalls& calls : calls_of(call, facts.id)) {
      answers_.push_back({.calls = std::move(calls)});
    }
  }

  std::string begin() override { return {}; }

  std::string event(int64_t choice, const ServiceEvent& event) override {
    Answer& answer = answers_[static_cast<size_t>(choice)];
    answer.reasoning += event.piece.reasoning;
    answer.text += event.piece.answer;
    for (Json& token : chat_logprobs(event.piece.tokens, token_text_)) {
      answer.logprobs.push_back(std::move(token));
    }
    for (const CallPiece& part : event.piece.calls) answer.calls.take(part);
    answer.stop_reason = event.stop_reason;
    return {};
  }

  std::string finish(const ReplyEnd& end) override {
    Json::Array choices;
    for (Answer& answer : answers_) choices.push_back(choice_json(choices.size(), answer));
    Json::Object object = head_.object("chat.completion");
    object.emplace_back("choices", std::move(choices));
    head_.add_end(end, object);
    return Json(std::move(object)).dump();
  }

  std::string heartbeat(const ReplyProgress&) override { return {}; }
  std::string fail(const ApiError& error) override {
    return openai_error(error, "messages").dump();
  }

 private:
  struct Answer {
    ChatCalls calls;
    std::string reasoning = {};
    std::string text = {};
    Json::Array logprobs = {};
    StopReason stop_reason = StopReason::kTokenLimit;
  };

  Json choice_json(size_t index, Answer& answer) const {
    const bool has_content = answer.calls.empty() || !answer.text.empty();
    Json::Object message{{"role", "assistant"},
                         {"content", has_content ? Json(std::move(answer.text)) : Json()},
                         {"refusal", Json()}};
    if (!answer.reasoning.empty()) {
      message.emplace_back("reasoning_content", std::move(answer.reasoning));
    }
    if (!answer.calls.empty()) answer.calls.add_to(message);
    Json logprobs;
    if (wants_logprobs_) logprobs = logprobs_json(std::move(answer.logprobs));
    return Json::Object{{"index", static_cast<int64_t>(index)},
                        {"message", std::move(message)},
                        {"logprobs", std::move(logprobs)},
                        {"finish_reason", answer.calls.finish_reason(answer.stop_reason)}};
  }

  const std::shared_ptr<const void> asked_;  // what the calls refer to
  const OpenAiHead head_;
  const TokenText token_text_;
  const bool wants_logprobs_;
  std::vector<Answer> answers_;
};

}  // namespace

std::unique_ptr<Reply> chat_reply(const Call& call, ReplyFacts facts) {
  if (call.streams) return std::make_unique<StreamedReply>(call, std::move(facts));
  return std::make_unique<WholeReply>(call, std::move(facts));
}

}  // namespace kvasir::server
