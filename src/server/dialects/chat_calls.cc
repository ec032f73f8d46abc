#include "server/dialects/chat_calls.h"

#include <utility>

#include "base/check.h"
#include "server/dialects/openai_reply.h"
#include "server/dialects/reply_calls.h"

namespace kvasir::server {
namespace {

const char* kind_of(const ClientTool& tool) { return tool.is_custom ? "custom" : "function"; }
const char* text_field(const ClientTool& tool) { return tool.is_custom ? "input" : "arguments"; }

}  // namespace

ChatCalls::ChatCalls(const OpenAiCall& asked, std::string reply_id, int64_t choice)
    : asked_(&asked), reply_id_(std::move(reply_id)), choice_(choice) {}

// Fields that say nothing are left out: clients take a null for a new value.
std::vector<Json::Object> ChatCalls::take(const CallPiece& piece) {
  std::vector<Json::Object> deltas;
  const bool begins = piece.index == std::ssize(calls_);
  if (begins) begin(piece.name);
  KVASIR_CHECK(piece.index + 1 == std::ssize(calls_), "pieces of a call follow each other");
  One& call = calls_.back();
  if (begins) deltas.push_back(delta(whole(call, "")));
  std::string text = piece.arguments;
  if (call.tool.is_custom) {
    text = call.input.add(piece.arguments);
    if (piece.is_over) text += call.input.finish();
  }
  if (text.empty()) return deltas;
  call.text += text;
  const Json part = Json::Object{{text_field(call.tool), std::move(text)}};
  deltas.push_back(delta({{kind_of(call.tool), part}}));
  return deltas;
}

void ChatCalls::add_to(Json::Object& message) const {
  if (asked_->uses_functions) {
    message.emplace_back("function_call", named(calls_.front(), calls_.front().text));
    return;
  }
  Json::Array calls;
  for (const One& call : calls_) calls.push_back(whole(call, call.text));
  message.emplace_back("tool_calls", std::move(calls));
}

const char* ChatCalls::finish_reason(StopReason reason) const {
  const bool is_end = reason == StopReason::kToolCalls || reason == StopReason::kEndOfText;
  if (empty() || !is_end) return finish_reason_of(reason);
  return asked_->uses_functions ? "function_call" : "tool_calls";
}

void ChatCalls::begin(const std::string& name) {
  calls_.push_back({.tool = client_tool(asked_->tools, name),
                    .id = call_id(kOpenAiCallPrefix, reply_id_, choice_, std::ssize(calls_))});
}

Json::Object ChatCalls::named(const One& call, std::string text) {
  return {{"name", call.tool.name}, {text_field(call.tool), std::move(text)}};
}

Json::Object ChatCalls::whole(const One& call, std::string text) {
  const char* kind = kind_of(call.tool);
  return {{"id", call.id}, {"type", kind}, {kind, named(call, std::move(text))}};
}

Json::Object ChatCalls::delta(Json::Object call) const {
  if (asked_->uses_functions) return {{"function_call", call.back().second}};
  Json::Object numbered{{"index", std::ssize(calls_) - 1}};
  for (auto& member : call) numbered.push_back(std::move(member));
  return {{"tool_calls", Json::Array{std::move(numbered)}}};
}

}  // namespace kvasir::server
