// These functions read conversations as JSON, as tools/crosscheck_chat_form.py writes them: an
// object with messages [{role, parts, reasoning, calls [{id, name, arguments}], call_id}], thinking
// (true, false, null), effort, continues_last, tools [{name, description, parameters}], where
// parameters are JSON in a string, tool_choice (auto, none, required, named), tool_name,
// answer_format (text, json_object, json_schema) and answer_schema.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kvasir/conversation.h"

namespace kvasir::testing {

constexpr std::string_view kRoles[] = {"system",    "developer", "user",
                                       "assistant", "tool",      "latest_reminder"};
constexpr std::string_view kEfforts[] = {"",       "none", "minimal", "low",
                                         "medium", "high", "xhigh",   "max"};

constexpr std::string_view kToolChoices[] = {"auto", "none", "required", "named"};
constexpr std::string_view kAnswerFormats[] = {"text", "json_object", "json_schema"};

inline Json member(const Json& object, const char* name) {
  const Json* found = object.find(name);
  return found == nullptr ? Json() : *found;
}

inline std::string text_in(const Json& object, const char* name) {
  const Json found = member(object, name);
  return found.as_string() == nullptr ? "" : *found.as_string();
}

inline Json::Array list_in(const Json& object, const char* name) {
  const Json found = member(object, name);
  return found.as_array() == nullptr ? Json::Array() : *found.as_array();
}

template <class Enum, size_t size>
Enum named(const std::string& name, const std::string_view (&names)[size]) {
  return static_cast<Enum>(std::ranges::find(names, name) - std::begin(names));
}

inline Message message_of(const Json& json) {
  Message message{.role = named<Role>(text_in(json, "role"), kRoles),
                  .reasoning = text_in(json, "reasoning"),
                  .call_id = text_in(json, "call_id")};
  for (const Json& part : list_in(json, "parts")) message.parts.push_back(*part.as_string());
  for (const Json& call : list_in(json, "calls")) {
    message.calls.push_back(
        {text_in(call, "id"), text_in(call, "name"), text_in(call, "arguments")});
  }
  return message;
}

// What the request does not say is as it is.
inline void read_tools(const Json& request, FormOptions& options) {
  for (const Json& tool : list_in(request, "tools")) {
    options.tools.push_back({.name = text_in(tool, "name"),
                             .description = text_in(tool, "description"),
                             .parameters = text_in(tool, "parameters")});
  }
  if (request.find("tool_choice") != nullptr) {
    options.tool_choice = named<ToolChoice>(text_in(request, "tool_choice"), kToolChoices);
  }
  options.tool_name = text_in(request, "tool_name");
  if (request.find("answer_format") != nullptr) {
    options.answer_format = named<AnswerFormat>(text_in(request, "answer_format"), kAnswerFormats);
  }
  options.answer_schema = text_in(request, "answer_schema");
}

inline FormOptions options_of(const Json& request) {
  FormOptions options{.effort = named<Effort>(text_in(request, "effort"), kEfforts)};
  const Json thinking = member(request, "thinking");
  if (const bool* thinks = thinking.as_bool()) {
    options.thinking = *thinks ? Thinking::kOn : Thinking::kOff;
  }
  const Json continues = member(request, "continues_last");
  options.continues_last = continues.as_bool() != nullptr && *continues.as_bool();
  read_tools(request, options);
  return options;
}

inline std::vector<Message> messages_of(const Json& request) {
  std::vector<Message> messages;
  for (const Json& json : list_in(request, "messages")) messages.push_back(message_of(json));
  return messages;
}

}  // namespace kvasir::testing
