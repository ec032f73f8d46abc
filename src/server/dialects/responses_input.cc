#include "server/dialects/responses_input.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialects/content_parts.h"
#include "server/dialects/openai_fields.h"
#include "server/dialects/tool_fields.h"

namespace kvasir::server {
namespace {

constexpr size_t kItemsMax = 100'000;
constexpr size_t kPartsMax = 10'000;

constexpr NamedRole kRoles[] = {{"user", Role::kUser},
                                {"assistant", Role::kAssistant},
                                {"system", Role::kSystem},
                                {"developer", Role::kDeveloper}};

struct CallItem {
  std::string_view type;
  const char* tool;       // null: the item's own name
  const char* arguments;  // the field that holds them
};
constexpr CallItem kCallItems[] = {{"function_call", nullptr, "arguments"},
                                   {"custom_tool_call", nullptr, "input"},
                                   {"local_shell_call", "local_shell", "action"},
                                   {"shell_call", "shell", "action"},
                                   {"apply_patch_call", "apply_patch", "operation"}};

// Of results. Those of other kinds than texts and parts are told as the JSON that they are.
struct OutputItem {
  std::string_view type;
  bool has_parts;
};
constexpr OutputItem kOutputItems[] = {{"function_call_output", true},
                                       {"custom_tool_call_output", true},
                                       {"local_shell_call_output", false},
                                       {"shell_call_output", false},
                                       {"apply_patch_call_output", false}};

// A custom tool takes a single text.
std::string arguments_of(const FieldReader& item, const CallItem& kind) {
  const Json* value = item.find(kind.arguments);
  if (value == nullptr) return "{}";
  if (kind.type == "custom_tool_call") {
    return Json(Json::Object{{"input", item.string(kind.arguments).value_or("")}}).dump();
  }
  if (value->as_object() != nullptr) return value->dump();
  return item.string(kind.arguments).value_or("");
}

// Tools of a namespace are told to a model by both names.
std::string tool_name(const FieldReader& item, const CallItem& kind) {
  if (kind.tool != nullptr) return kind.tool;
  if (!item.has("name")) item.refuse("name", "missing", "a string");
  return name_in_space(item.string("namespace").value_or(""), item.string("name").value_or(""));
}

std::string call_id(const FieldReader& item) {
  return item.string(item.has("call_id") ? "call_id" : "id").value_or("");
}

class InputReader {
 public:
  explicit InputReader(Call& call) : call_(&call) {}

  void read(const FieldReader& item) {
    const std::string type = item.string("type").value_or("message");
    if (type == "message") return add_message(item);
    if (type == "reasoning") return add_reasoning(item);
    if (type == "item_reference") {
      return item.refuse("type", "items are not kept, so none can be referred to",
                         "the item itself");
    }
    const auto* call = std::ranges::find(kCallItems, type, &CallItem::type);
    if (call != std::end(kCallItems)) return add_call(item, *call);
    const auto* output = std::ranges::find(kOutputItems, type, &OutputItem::type);
    if (output != std::end(kOutputItems)) return add_output(item, *output);
    ignore(*call_, "items");
  }

 private:
  Message& assistant() {
    std::vector<Message>& messages = call_->messages;
    if (messages.empty() || messages.back().role != Role::kAssistant) {
      messages.push_back({.role = Role::kAssistant});
    }
    if (!said_as_.empty()) messages.back().said_as = std::exchange(said_as_, {});
    return messages.back();
  }

  void add_message(const FieldReader& item) {
    const Role role = read_role(item, kRoles);
    if (item.failed()) return;
    if (role == Role::kAssistant) return read_content(item, "content", assistant(), *call_);
    call_->messages.push_back({.role = role});
    read_content(item, "content", call_->messages.back(), *call_);
  }

  // Its text, or, where the client has none, its summary.
  void add_reasoning(const FieldReader& item) {
    if (auto name = item.string("encrypted_content")) said_as_ = std::move(*name);
    if (!add_reasoning_texts(item, "content")) add_reasoning_texts(item, "summary");
  }

  bool add_reasoning_texts(const FieldReader& item, const char* name) {
    const Json::Array* parts = item.array(name, kPartsMax);
    if (parts == nullptr) return false;
    for (size_t i = 0; i < parts->size() && !item.failed(); ++i) {
      const FieldReader part = item.element(name, (*parts)[i], i);
      if (item.failed()) return true;
      std::string& reasoning = assistant().reasoning;
      reasoning.append(reasoning.empty() ? "" : "\n\n").append(part.string("text").value_or(""));
    }
    return !parts->empty();
  }

  void add_call(const FieldReader& item, const CallItem& kind) {
    assistant().calls.push_back({.id = call_id(item),
                                 .name = tool_name(item, kind),
                                 .arguments = arguments_of(item, kind)});
  }

  void add_output(const FieldReader& item, const OutputItem& kind) {
    Message message{.role = Role::kTool, .call_id = call_id(item)};
    const Json* output = item.find("output");
    if (kind.has_parts || output == nullptr || output->as_string() != nullptr) {
      read_content(item, "output", message, *call_);
    } else {
      message.parts.push_back(output->dump());
    }
    call_->messages.push_back(std::move(message));
  }

  Call* call_;
  std::string said_as_;  // of the assistant's message that follows
};

void read_items(const FieldReader& body, Call& call) {
  const Json::Array* items = body.array("input", kItemsMax);
  if (items == nullptr) return;
  InputReader reader(call);
  for (size_t i = 0; i < items->size() && !body.failed(); ++i) {
    const FieldReader item = body.element("input", (*items)[i], i);
    if (!body.failed()) reader.read(item);
  }
}

}  // namespace

void read_response_input(const FieldReader& body, Call& call) {
  if (auto instructions = body.string("instructions")) {
    call.messages.push_back({.role = Role::kSystem, .parts = {std::move(*instructions)}});
    call.leads = 1;
  }
  const Json* input = body.find("input");
  if (input == nullptr) return body.refuse("input", "missing", "a string or an array of items");
  if (const std::string* text = input->as_string()) {
    call.messages.push_back({.role = Role::kUser, .parts = {*text}});
  } else if (input->as_array() == nullptr) {
    body.refuse("input", "wrong type", "a string or an array of items");
  } else {
    read_items(body, call);
  }
  if (call.messages.empty()) body.refuse("input", "nothing in it that is told");
}

}  // namespace kvasir::server
