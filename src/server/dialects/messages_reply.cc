#include "server/dialects/messages_reply.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "server/dialects/anthropic_error.h"
#include "server/dialects/openai_reply.h"
#include "server/dialects/reply_calls.h"
#include "server/dialects/reply_parts.h"
#include "server/dialects/reuse_fields.h"
#include "server/dialects/sse.h"

namespace kvasir::server {
namespace {

using Kind = ReplyPart::Kind;

const Json kNull;

// Input is what was not taken from the cache; the three kinds of it are the whole prompt together.
// Everything is kept without being asked to, so nothing counts as written for the client.
Json usage_json(const ServiceUsage& usage) {
  const int64_t reused = usage.reused_tokens();
  return Json::Object{
      {"input_tokens", usage.prompt_tokens - reused},
      {"cache_creation_input_tokens", 0},
      {"cache_read_input_tokens", reused},
      {"cache_creation",
       Json::Object{{"ephemeral_5m_input_tokens", 0}, {"ephemeral_1h_input_tokens", 0}}},
      {"output_tokens", usage.generated_tokens},
      {"output_tokens_details", Json::Object{{"thinking_tokens", usage.reasoning_tokens}}}};
}

const char* name_of_stop(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfText:
    case StopReason::kInterrupted:
      return "end_turn";
    case StopReason::kStopString:
      return "stop_sequence";
    case StopReason::kTokenLimit:
      return "max_tokens";
    case StopReason::kToolCalls:
      return "tool_use";
  }
  KVASIR_CHECK(false, "a known reason");
}

// How an answer ended, as members of an object.
struct Ending {
  StopReason reason = StopReason::kEndOfText;
  std::string stop_string;
  bool has_calls = false;

  void take(const ServiceEvent& event) {
    has_calls = has_calls || !event.piece.calls.empty();
    if (event.kind != ServiceEvent::Kind::kEnded) return;
    reason = event.stop_reason;
    // Programs make no calls that a turn ends with otherwise.
    if (has_calls && reason == StopReason::kEndOfText) reason = StopReason::kToolCalls;
    stop_string = event.stop_string;
  }
  void add_to(Json::Object& object) const {
    object.emplace_back("stop_reason", name_of_stop(reason));
    const bool has_string = reason == StopReason::kStopString;
    object.emplace_back("stop_sequence", has_string ? Json(stop_string) : kNull);
  }
};

// Clients take nothing but an object.
Json input_json(const std::string& arguments) {
  Result<Json> input = Json::parse(arguments, "arguments");
  if (input.ok() && input->as_object() != nullptr) return *std::move(input);
  if (arguments.empty()) return Json::Object{};
  return Json::Object{{"arguments", arguments}};
}

Json call_json(const ReplyPart& part, const std::string& reply_id, Json input) {
  return Json::Object{{"type", "tool_use"},
                      {"id", call_id(kAnthropicCallPrefix, reply_id, 0, part.call_index)},
                      {"name", part.name},
                      {"input", std::move(input)}};
}

// Clients drop thinking without a signature, or send it back as text.
Json text_json(Kind kind, std::string text, std::string signature) {
  if (kind == Kind::kAnswer) return Json::Object{{"type", "text"}, {"text", std::move(text)}};
  return Json::Object{
      {"type", "thinking"}, {"thinking", std::move(text)}, {"signature", std::move(signature)}};
}

Json new_block(const ReplyPart& part, const std::string& reply_id) {
  if (part.kind == Kind::kCall) return call_json(part, reply_id, Json::Object{});
  return text_json(part.kind, {}, {});
}

Json whole_block(const ReplyPart& part, const std::string& reply_id) {
  if (part.kind == Kind::kCall) return call_json(part, reply_id, input_json(part.text));
  return text_json(part.kind, part.text, reply_id);
}

// Empty: not asked for.
Json::Object diagnostics_of(const ReplyFacts& facts, const ServiceUsage& usage) {
  if (!facts.wants_diagnostics || !facts.comparison) return {};
  return {{"diagnostics", anthropic_diagnostics(reuse_report(*facts.comparison, usage))}};
}

// Until it is known what is reused. A prompt that differs from an earlier one does so anyhow.
Json::Object diagnostics_at_first(const ReplyFacts& facts) {
  if (!facts.wants_diagnostics) return {};
  if (!facts.comparison || !facts.comparison->place) return {{"diagnostics", kNull}};
  ReuseReport report =
      reuse_report(*facts.comparison, {.prompt_tokens = facts.prompt_tokens.front(),
                                       .reused_ram_tokens = facts.comparison->same_ids});
  report.has_counts = false;
  return {{"diagnostics", anthropic_diagnostics(report)}};
}

void append(Json::Object more, Json::Object& object) {
  for (auto& member : more) object.push_back(std::move(member));
}

Json::Object message_head(const ReplyFacts& facts) {
  return {{"id", "msg_" + facts.id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", facts.model}};
}

std::string event_bytes(const char* type, Json::Object members) {
  Json::Object event{{"type", type}};
  append(std::move(members), event);
  return sse_event(type, Json(std::move(event)));
}

class BlockStream final : public PartStream {
 public:
  explicit BlockStream(std::string reply_id) : reply_id_(std::move(reply_id)) {}

 private:
  std::string open(const ReplyPart& part, size_t index) override {
    return event_bytes("content_block_start", {{"index", static_cast<int64_t>(index)},
                                               {"content_block", new_block(part, reply_id_)}});
  }
  std::string delta(const ReplyPart& part, size_t index, const std::string& text,
                    Json::Array) override {
    if (part.kind == Kind::kAnswer) return delta_bytes(index, "text_delta", "text", text);
    if (part.kind == Kind::kCall) {
      return delta_bytes(index, "input_json_delta", "partial_json", text);
    }
    return delta_bytes(index, "thinking_delta", "thinking", text);
  }
  std::string close(const ReplyPart& part, size_t index) override {
    std::string out;
    if (part.kind == Kind::kReasoning) {
      out = delta_bytes(index, "signature_delta", "signature", reply_id_);
    }
    return out + event_bytes("content_block_stop", {{"index", static_cast<int64_t>(index)}});
  }

  static std::string delta_bytes(size_t index, const char* type, const char* name,
                                 const std::string& text) {
    return event_bytes("content_block_delta",
                       {{"index", static_cast<int64_t>(index)},
                        {"delta", Json::Object{{"type", type}, {name, text}}}});
  }

  std::string reply_id_;
};

class StreamedReply final : public Reply {
 public:
  explicit StreamedReply(ReplyFacts facts) : facts_(std::move(facts)), blocks_(facts_.id) {}

  // What of the prompt is reused is not known yet; the counts at the end replace these.
  std::string begin() override {
    Json::Object message = message_head(facts_);
    message.emplace_back("content", Json::Array{});
    message.emplace_back("stop_reason", kNull);
    message.emplace_back("stop_sequence", kNull);
    message.emplace_back("usage", usage_json({.prompt_tokens = facts_.prompt_tokens.front()}));
    append(diagnostics_at_first(facts_), message);
    return event_bytes("message_start", {{"message", std::move(message)}}) +
           event_bytes("ping", {});
  }

  std::string event(int64_t, const ServiceEvent& event) override {
    ending_.take(event);
    std::string out;
    if (!event.piece.reasoning.empty()) {
      out += blocks_.add(Kind::kReasoning, event.piece.reasoning);
    }
    if (!event.piece.answer.empty()) out += blocks_.add(Kind::kAnswer, event.piece.answer);
    for (const CallPiece& call : event.piece.calls) out += blocks_.add(call);
    return out;
  }

  std::string finish(const ReplyEnd& end) override {
    Json::Object delta;
    ending_.add_to(delta);
    Json::Object last{{"delta", std::move(delta)}, {"usage", usage_json(end.usage)}};
    append(diagnostics_of(facts_, end.usage), last);
    add_proof(end.proof, last);
    return blocks_.end() + event_bytes("message_delta", std::move(last)) +
           event_bytes("message_stop", {});
  }

  std::string heartbeat(const ReplyProgress& progress) override {
    return event_bytes("ping", {{"prompt_progress", prompt_progress(progress)}});
  }
  std::string fail(const ApiError& error) override {
    return sse_event("error", Json(anthropic_error(error)));
  }

 private:
  const ReplyFacts facts_;
  BlockStream blocks_;
  Ending ending_;
};

class WholeReply final : public Reply {
 public:
  explicit WholeReply(ReplyFacts facts) : facts_(std::move(facts)) {}

  std::string begin() override { return {}; }

  std::string event(int64_t, const ServiceEvent& event) override {
    ending_.take(event);
    const GenerationPiece& piece = event.piece;
    if (!piece.reasoning.empty()) parts_.part(Kind::kReasoning).text += piece.reasoning;
    if (!piece.answer.empty()) parts_.part(Kind::kAnswer).text += piece.answer;
    for (const CallPiece& call : piece.calls) parts_.add(call);
    return {};
  }

  std::string finish(const ReplyEnd& end) override {
    parts_.end();
    Json::Array content;
    for (const ReplyPart& part : parts_.all()) {
      content.push_back(whole_block(part, facts_.id));
    }
    Json::Object message = message_head(facts_);
    message.emplace_back("content", std::move(content));
    ending_.add_to(message);
    message.emplace_back("usage", usage_json(end.usage));
    append(diagnostics_of(facts_, end.usage), message);
    add_proof(end.proof, message);
    return Json(std::move(message)).dump();
  }

  std::string heartbeat(const ReplyProgress&) override { return {}; }
  std::string fail(const ApiError& error) override { return Json(anthropic_error(error)).dump(); }

 private:
  const ReplyFacts facts_;
  ReplyParts parts_;
  Ending ending_;
};

}  // namespace

std::unique_ptr<Reply> messages_reply(const Call& call, ReplyFacts facts) {
  if (call.streams) return std::make_unique<StreamedReply>(std::move(facts));
  return std::make_unique<WholeReply>(std::move(facts));
}

}  // namespace kvasir::server
