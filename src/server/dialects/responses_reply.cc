#include "server/dialects/responses_reply.h"

#include <string>
#include <utility>
#include <vector>

#include "server/dialects/custom_input.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/openai_reply.h"
#include "server/dialects/reply_parts.h"
#include "server/dialects/responses_object.h"
#include "server/dialects/sse.h"
#include "server/dialects/token_logprobs.h"

namespace kvasir::server {
namespace {

using Kind = ReplyPart::Kind;

// Tokens can come before their text. Those of reasoning and of calls are not told.
class AnswerTokens {
 public:
  explicit AnswerTokens(TokenText token_text) : token_text_(std::move(token_text)) {}

  void take(const GenerationPiece& piece) {
    waiting_.insert(waiting_.end(), piece.tokens.begin(), piece.tokens.end());
    if (!piece.reasoning.empty() && piece.answer.empty()) waiting_.clear();
    has_calls_ = has_calls_ || !piece.calls.empty();
    if (has_calls_ && piece.answer.empty()) waiting_.clear();
  }
  // Those that came since the last time.
  Json::Array told() { return chat_logprobs(std::exchange(waiting_, {}), token_text_); }
  bool empty() const { return waiting_.empty(); }

 private:
  TokenText token_text_;
  std::vector<SampledToken> waiting_;
  bool has_calls_ = false;
};

// Writes the events of one stream, which are numbered.
class Events {
 public:
  std::string write(const std::string& name, Json::Object members) {
    Json::Object event{{"type", "response." + name}, {"sequence_number", count_++}};
    for (auto& member : members) event.push_back(std::move(member));
    return sse_event("response." + name, Json(std::move(event)));
  }
  std::string write(const std::string& name, Json response) {
    return write(name, Json::Object{{"response", std::move(response)}});
  }

 private:
  int64_t count_ = 0;
};

const char* text_name(Kind kind) {
  return kind == Kind::kReasoning ? "reasoning_text" : "output_text";
}

const char* call_name(bool is_custom) {
  return is_custom ? "custom_tool_call_input" : "function_call_arguments";
}

class ItemStream final : public PartStream {
 public:
  ItemStream(const ResponseObject& object, Events& events) : object_(&object), events_(&events) {}

  // Of the last item, where it is closed by end().
  void set_last_status(const char* status) { status_ = status; }

 private:
  std::string open(const ReplyPart& part, size_t index) override {
    std::string out = item_event("output_item.added", index, object_->new_item(part, index));
    input_ = CustomInput();
    if (part.kind == Kind::kCall) return out;
    return out + part_event("content_part.added", part, index, {});
  }

  std::string delta(const ReplyPart& part, size_t index, const std::string& text,
                    Json::Array logprobs) override {
    if (part.kind == Kind::kCall) {
      return call_delta(part, index, object_->is_custom(part) ? input_.add(text) : text);
    }
    Json::Object members = place_of(part, index);
    members.emplace_back("delta", text);
    if (part.kind == Kind::kAnswer) members.emplace_back("logprobs", std::move(logprobs));
    return events_->write(text_name(part.kind) + std::string(".delta"), std::move(members));
  }

  std::string close(const ReplyPart& part, size_t index) override {
    std::string out = part.kind == Kind::kCall ? close_call(part, index) : close_text(part, index);
    return out + item_event("output_item.done", index, object_->item(part, index, status_));
  }

  std::string close_text(const ReplyPart& part, size_t index) {
    Json::Object members = place_of(part, index);
    members.emplace_back("text", part.text);
    if (part.kind == Kind::kAnswer) members.emplace_back("logprobs", part.logprobs);
    std::string out =
        events_->write(text_name(part.kind) + std::string(".done"), std::move(members));
    return out + part_event("content_part.done", part, index, part);
  }

  std::string call_delta(const ReplyPart& part, size_t index, std::string text) {
    if (text.empty()) return {};
    Json::Object members = item_of(part, index);
    members.emplace_back("delta", std::move(text));
    return events_->write(call_name(object_->is_custom(part)) + std::string(".delta"),
                          std::move(members));
  }

  std::string close_call(const ReplyPart& part, size_t index) {
    const bool is_custom = object_->is_custom(part);
    std::string out = call_delta(part, index, input_.finish());
    Json::Object members = item_of(part, index);
    members.emplace_back(is_custom ? "input" : "arguments",
                         is_custom ? custom_input(part.text) : part.text);
    if (!is_custom) members.emplace_back("name", object_->tool_name(part));
    return out + events_->write(call_name(is_custom) + std::string(".done"), std::move(members));
  }

  Json::Object item_of(const ReplyPart& part, size_t index) const {
    return {{"item_id", object_->item_id(part, index)},
            {"output_index", static_cast<int64_t>(index)}};
  }

  Json::Object place_of(const ReplyPart& part, size_t index) const {
    Json::Object place = item_of(part, index);
    place.emplace_back("content_index", 0);
    return place;
  }

  std::string item_event(const char* name, size_t index, Json item) {
    return events_->write(
        name, {{"output_index", static_cast<int64_t>(index)}, {"item", std::move(item)}});
  }

  std::string part_event(const char* name, const ReplyPart& place, size_t index,
                         const ReplyPart& told) {
    Json::Object members = place_of(place, index);
    members.emplace_back("part", ResponseObject::content(place.kind, told.text, told.logprobs));
    return events_->write(name, std::move(members));
  }

  const ResponseObject* object_;
  Events* events_;
  CustomInput input_;  // of the call that is open
  const char* status_ = "completed";
};

class StreamedReply final : public Reply {
 public:
  StreamedReply(const Call& call, ReplyFacts facts)
      : object_(call, facts), tokens_(std::move(facts.token_text)), items_(object_, events_) {}

  std::string begin() override {
    std::string out = events_.write("created", object_.begun());
    return out + events_.write("in_progress", object_.begun());
  }

  std::string event(int64_t, const ServiceEvent& event) override {
    const GenerationPiece& piece = event.piece;
    tokens_.take(piece);
    std::string out;
    if (!piece.reasoning.empty()) out += items_.add(Kind::kReasoning, piece.reasoning);
    const bool ends = event.kind == ServiceEvent::Kind::kEnded;
    if (ends) stop_reason_ = event.stop_reason;
    // The last tokens may have no text.
    if (!piece.answer.empty() || (ends && !tokens_.empty())) {
      out += items_.add(Kind::kAnswer, piece.answer, tokens_.told());
    }
    for (const CallPiece& call : piece.calls) out += items_.add(call);
    return out;
  }

  std::string finish(const ReplyEnd& end) override {
    const char* status = ResponseObject::status_of(stop_reason_);
    items_.set_last_status(status);
    std::string out = items_.end();
    return out + events_.write(status, object_.ended(items_.parts(), stop_reason_, end));
  }

  // Comments are no sign of life for every client.
  std::string heartbeat(const ReplyProgress& progress) override {
    return events_.write("in_progress", {{"response", object_.waiting()},
                                         {"prompt_progress", prompt_progress(progress)}});
  }

  std::string fail(const ApiError& error) override {
    return events_.write("failed", object_.failed(items_.parts(), error));
  }

 private:
  const ResponseObject object_;
  Events events_;
  AnswerTokens tokens_;
  ItemStream items_;
  StopReason stop_reason_ = StopReason::kEndOfText;
};

class WholeReply final : public Reply {
 public:
  WholeReply(const Call& call, ReplyFacts facts)
      : object_(call, facts), tokens_(std::move(facts.token_text)) {}

  std::string begin() override { return {}; }

  std::string event(int64_t, const ServiceEvent& event) override {
    const GenerationPiece& piece = event.piece;
    tokens_.take(piece);
    if (!piece.reasoning.empty()) parts_.part(Kind::kReasoning).text += piece.reasoning;
    const bool ends = event.kind == ServiceEvent::Kind::kEnded;
    if (ends) stop_reason_ = event.stop_reason;
    if (!piece.answer.empty() || (ends && !tokens_.empty())) {
      ReplyPart& part = parts_.part(Kind::kAnswer);
      part.text += piece.answer;
      for (Json& token : tokens_.told()) part.logprobs.push_back(std::move(token));
    }
    for (const CallPiece& call : piece.calls) parts_.add(call);
    return {};
  }

  std::string finish(const ReplyEnd& end) override {
    parts_.end();
    return object_.ended(parts_, stop_reason_, end).dump();
  }

  std::string heartbeat(const ReplyProgress&) override { return {}; }
  std::string fail(const ApiError& error) override { return openai_error(error, "input").dump(); }

 private:
  const ResponseObject object_;
  AnswerTokens tokens_;
  ReplyParts parts_;
  StopReason stop_reason_ = StopReason::kEndOfText;
};

}  // namespace

std::unique_ptr<Reply> responses_reply(const Call& call, ReplyFacts facts) {
  if (call.streams) return std::make_unique<StreamedReply>(call, std::move(facts));
  return std::make_unique<WholeReply>(call, std::move(facts));
}

}  // namespace kvasir::server
