#include "server/dialects/responses_object.h"

#include <utility>

#include <fmt/format.h>

#include "server/dialects/custom_input.h"
#include "server/dialects/openai_error.h"
#include "server/dialects/reply_calls.h"
#include "server/dialects/reuse_fields.h"

namespace kvasir::server {
namespace {

using Kind = ReplyPart::Kind;

const Json kNull;

Json usage_json(const ServiceUsage& usage) {
  return Json::Object{
      {"input_tokens", usage.prompt_tokens},
      {"input_tokens_details",
       Json::Object{{"cached_tokens", usage.reused_tokens()}, {"cache_write_tokens", 0}}},
      {"output_tokens", usage.generated_tokens},
      {"output_tokens_details", Json::Object{{"reasoning_tokens", usage.reasoning_tokens}}},
      {"total_tokens", usage.prompt_tokens + usage.generated_tokens}};
}

// An error of a response always has a code.
Json error_json(const ApiError& error) {
  const Json whole = openai_error(error, "input");
  const Json& told = *whole.find("error");
  Json code = *told.find("code");
  if (code.is_null()) code = status_of(error.kind) < 500 ? "invalid_prompt" : "server_error";
  return Json::Object{{"code", std::move(code)}, {"message", *told.find("message")}};
}

}  // namespace

struct ResponseObject::Outcome {
  const char* status;
  bool has_texts = true;
  Json::Array output = {};
  Json usage = {};
  Json diagnostics = {};
  std::optional<Proof> proof = {};
  Json incomplete_details = {};
  Json error = {};
};

ResponseObject::ResponseObject(const Call& call, const ReplyFacts& facts)
    : call_(std::static_pointer_cast<const ResponsesCall>(call.own)),
      id_(facts.id),
      created_s_(facts.created_s),
      model_(facts.model),
      comparison_(facts.comparison) {}

Json ResponseObject::begun() const { return object({.status = "in_progress"}); }

Json ResponseObject::waiting() const {
  return object({.status = "in_progress", .has_texts = false});
}

Json ResponseObject::ended(const ReplyParts& parts, StopReason reason, const ReplyEnd& end) const {
  const char* status = status_of(reason);
  Outcome outcome{.status = status, .output = items(parts, status), .usage = usage_json(end.usage)};
  if (comparison_) outcome.diagnostics = openai_diagnostics(reuse_report(*comparison_, end.usage));
  if (reason == StopReason::kTokenLimit) {
    outcome.incomplete_details = Json::Object{{"reason", "max_output_tokens"}};
  }
  outcome.proof = end.proof;
  return object(std::move(outcome));
}

Json ResponseObject::failed(const ReplyParts& parts, const ApiError& error) const {
  return object(
      {.status = "failed", .output = items(parts, "incomplete"), .error = error_json(error)});
}

const char* ResponseObject::status_of(StopReason reason) {
  return reason == StopReason::kTokenLimit ? "incomplete" : "completed";
}

Json ResponseObject::object(Outcome outcome) const {
  Json::Object object{{"id", "resp_" + id_},
                      {"object", "response"},
                      {"created_at", created_s_},
                      {"status", outcome.status},
                      {"error", std::move(outcome.error)},
                      {"incomplete_details", std::move(outcome.incomplete_details)},
                      {"instructions", outcome.has_texts ? call_->instructions : kNull},
                      {"metadata", outcome.has_texts ? call_->metadata : kNull},
                      {"model", model_},
                      {"output", std::move(outcome.output)},
                      {"usage", std::move(outcome.usage)}};
  if (!outcome.diagnostics.is_null()) {
    object.emplace_back("prompt_cache_diagnostics", std::move(outcome.diagnostics));
  }
  add_proof(outcome.proof, object);
  object.insert(object.end(), call_->settings.begin(), call_->settings.end());
  object.emplace_back("tools", outcome.has_texts ? call_->tools : Json::Array{});
  return object;
}

std::string ResponseObject::item_id(const ReplyPart& part, size_t index) const {
  const auto id = [&](const char* prefix) {
    return fmt::format("{}_{}{:02x}", prefix, id_, index);
  };
  if (part.kind == Kind::kCall) return id(is_custom(part) ? "ctc" : "fc");
  return id(part.kind == Kind::kReasoning ? "rs" : "msg");
}

std::string ResponseObject::tool_name(const ReplyPart& part) const {
  return client_tool(call_->client_tools, part.name).name;
}

bool ResponseObject::is_custom(const ReplyPart& part) const {
  return part.kind == Kind::kCall && client_tool(call_->client_tools, part.name).is_custom;
}

Json ResponseObject::content(Kind kind, std::string text, Json::Array logprobs) {
  if (kind == Kind::kReasoning) {
    return Json::Object{{"type", "reasoning_text"}, {"text", std::move(text)}};
  }
  return Json::Object{{"type", "output_text"},
                      {"text", std::move(text)},
                      {"annotations", Json::Array{}},
                      {"logprobs", std::move(logprobs)}};
}

Json ResponseObject::text_item(const ReplyPart& part, size_t index, const char* status,
                               Json::Array content) const {
  Json::Object item{{"id", item_id(part, index)}};
  if (part.kind == Kind::kReasoning) {
    item.emplace_back("type", "reasoning");
    item.emplace_back("summary", Json::Array{});
    // Clients leave out reasoning that they did not get this with.
    if (call_->wants_encrypted_reasoning) item.emplace_back("encrypted_content", id_);
  } else {
    item.emplace_back("type", "message");
    item.emplace_back("role", "assistant");
  }
  item.emplace_back("content", std::move(content));
  item.emplace_back("status", status);
  return item;
}

Json ResponseObject::call_item(const ReplyPart& part, size_t index, const char* status,
                               std::string text) const {
  ClientTool tool = client_tool(call_->client_tools, part.name);
  Json::Object item{{"id", item_id(part, index)},
                    {"type", tool.is_custom ? "custom_tool_call" : "function_call"},
                    {"status", status},
                    {"call_id", call_id(kOpenAiCallPrefix, id_, 0, part.call_index)},
                    {"name", std::move(tool.name)},
                    {tool.is_custom ? "input" : "arguments", std::move(text)}};
  if (!tool.space.empty()) item.emplace_back("namespace", std::move(tool.space));
  return item;
}

Json ResponseObject::new_item(const ReplyPart& part, size_t index) const {
  if (part.kind == Kind::kCall) return call_item(part, index, "in_progress", {});
  return text_item(part, index, "in_progress", {});
}

Json ResponseObject::item(const ReplyPart& part, size_t index, const char* status) const {
  if (part.kind == Kind::kCall) {
    const char* own_status = part.is_over ? "completed" : status;
    return call_item(part, index, own_status,
                     is_custom(part) ? custom_input(part.text) : part.text);
  }
  return text_item(part, index, status, {content(part.kind, part.text, part.logprobs)});
}

Json::Array ResponseObject::items(const ReplyParts& parts, const char* last_status) const {
  Json::Array items;
  const std::vector<ReplyPart>& all = parts.all();
  for (size_t i = 0; i < all.size(); ++i) {
    items.push_back(item(all[i], i, i + 1 == all.size() ? last_status : "completed"));
  }
  return items;
}

}  // namespace kvasir::server
