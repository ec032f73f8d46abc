#include "replay/message_json.h"

#include <utility>

#include "base/json.h"

namespace kvasir::replay {
namespace {

Json json_of(const ToolCall& call) {
  return Json::Object{{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}};
}

Json json_of(const Message& message) {
  Json::Array parts(message.parts.begin(), message.parts.end());
  Json::Array calls;
  for (const ToolCall& call : message.calls) calls.push_back(json_of(call));
  return Json::Object{{"role", name_of(message.role)},  {"parts", std::move(parts)},
                      {"reasoning", message.reasoning}, {"calls", std::move(calls)},
                      {"call_id", message.call_id},     {"said_as", message.said_as}};
}

// Reads members; once one is missing or of another kind, all is wrong.
class Reader {
 public:
  std::string string(const Json& object, const char* name) {
    const Json* member = object.find(name);
    const std::string* text = member == nullptr ? nullptr : member->as_string();
    is_good_ = is_good_ && text != nullptr;
    return text == nullptr ? std::string() : *text;
  }
  Json::Array array(const Json& object, const char* name) {
    const Json* member = object.find(name);
    const Json::Array* array = member == nullptr ? nullptr : member->as_array();
    is_good_ = is_good_ && array != nullptr;
    return array == nullptr ? Json::Array() : *array;
  }
  Role role(const Json& object) {
    const std::string name = string(object, "role");
    for (size_t i = 0; i < kRoleNames.size(); ++i) {
      if (name == kRoleNames[i]) return static_cast<Role>(i);
    }
    is_good_ = false;
    return Role::kUser;
  }
  Message message(const Json& json) {
    Message message{.role = role(json), .reasoning = string(json, "reasoning")};
    for (const Json& part : array(json, "parts")) {
      is_good_ = is_good_ && part.as_string() != nullptr;
      if (is_good_) message.parts.push_back(*part.as_string());
    }
    for (const Json& call : array(json, "calls")) {
      message.calls.push_back({.id = string(call, "id"),
                               .name = string(call, "name"),
                               .arguments = string(call, "arguments")});
    }
    message.call_id = string(json, "call_id");
    message.said_as = string(json, "said_as");
    return message;
  }
  bool is_good() const { return is_good_; }

 private:
  bool is_good_ = true;
};

}  // namespace

std::string text_of(const std::vector<Message>& messages) {
  Json::Array array;
  for (const Message& message : messages) array.push_back(json_of(message));
  return Json(std::move(array)).dump();
}

std::optional<std::vector<Message>> messages_of(const std::string& text) {
  const Result<Json> json = Json::parse(text, "messages");
  if (!json.ok() || json->as_array() == nullptr) return std::nullopt;
  Reader reader;
  std::vector<Message> messages;
  for (const Json& message : *json->as_array()) messages.push_back(reader.message(message));
  if (!reader.is_good()) return std::nullopt;
  return messages;
}

}  // namespace kvasir::replay
