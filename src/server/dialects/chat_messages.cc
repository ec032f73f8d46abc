#include "server/dialects/chat_messages.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialects/content_parts.h"

namespace kvasir::server {
namespace {

constexpr size_t kMessagesMax = 100'000;
constexpr size_t kCallsMax = 1'000;

constexpr NamedRole kRoles[] = {
    {"system", Role::kSystem},       {"developer", Role::kDeveloper}, {"user", Role::kUser},
    {"assistant", Role::kAssistant}, {"tool", Role::kTool},           {"function", Role::kTool},
};

std::string read_arguments(const FieldReader& function) {
  const Json* arguments = function.find("arguments");
  if (arguments == nullptr) return {};
  if (arguments->as_object() != nullptr) return arguments->dump();
  return function.string("arguments").value_or("");
}

void read_function(const FieldReader& function, ToolCall& call) {
  if (!function.has("name")) function.refuse("name", "missing", "a string");
  call.name = function.string("name").value_or("");
  call.arguments = read_arguments(function);
}

// A custom tool is one that takes a single text.
void read_custom(const FieldReader& custom, ToolCall& call) {
  if (!custom.has("name")) custom.refuse("name", "missing", "a string");
  call.name = custom.string("name").value_or("");
  call.arguments = Json(Json::Object{{"input", custom.string("input").value_or("")}}).dump();
}

ToolCall read_call(const FieldReader& reader) {
  ToolCall call{.id = reader.string("id").value_or("")};
  if (const auto custom = reader.object("custom")) {
    read_custom(*custom, call);
  } else if (const auto function = reader.object("function")) {
    read_function(*function, call);
  } else {
    reader.refuse("function", "missing", "an object");
  }
  return call;
}

// Servers call it by either name.
std::string read_reasoning(const FieldReader& reader) {
  if (reader.has("reasoning_content")) return reader.string("reasoning_content").value_or("");
  const Json* reasoning = reader.find("reasoning");
  const std::string* text = reasoning == nullptr ? nullptr : reasoning->as_string();
  return text == nullptr ? std::string() : *text;
}

void read_assistant(const FieldReader& reader, Message& message) {
  message.reasoning = read_reasoning(reader);
  if (const Json::Array* calls = reader.array("tool_calls", kCallsMax)) {
    for (size_t i = 0; i < calls->size() && !reader.failed(); ++i) {
      message.calls.push_back(read_call(reader.element("tool_calls", (*calls)[i], i)));
    }
  }
  if (const auto function = reader.object("function_call")) {
    ToolCall call;
    read_function(*function, call);
    call.id = call.name;
    message.calls.push_back(std::move(call));
  }
}

Message read_message(const FieldReader& reader, Call& call) {
  Message message;
  message.role = read_role(reader, kRoles);
  read_content(reader, "content", message, call);
  if (message.role == Role::kAssistant) read_assistant(reader, message);
  if (message.role == Role::kTool) {
    message.call_id =
        reader.string(reader.has("tool_call_id") ? "tool_call_id" : "name").value_or("");
  }
  return message;
}

}  // namespace

void read_chat_messages(const FieldReader& body, Call& call) {
  const Json::Array* messages = body.array("messages", kMessagesMax);
  if (messages == nullptr) return body.refuse("messages", "missing", "an array of messages");
  if (messages->empty()) return body.refuse("messages", "empty", "at least one message");
  call.messages.reserve(messages->size());
  for (size_t i = 0; i < messages->size() && !body.failed(); ++i) {
    const FieldReader reader = body.element("messages", (*messages)[i], i);
    call.messages.push_back(read_message(reader, call));
    const bool continues =
        call.messages.back().role == Role::kAssistant && reader.boolean("prefix").value_or(false);
    if (i + 1 == messages->size()) call.form.continues_last = continues;
  }
}

}  // namespace kvasir::server
