#include "server/dialects/messages_input.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialects/cache_marks.h"
#include "server/dialects/content_parts.h"
#include "server/dialects/openai_fields.h"

namespace kvasir::server {
namespace {

constexpr size_t kMessagesMax = 100'000;
constexpr size_t kBlocksMax = 10'000;

constexpr NamedRole kRoles[] = {
    {"user", Role::kUser}, {"assistant", Role::kAssistant}, {"system", Role::kSystem}};

// A line that changes with every request and is told to no model: prompts would share nothing.
constexpr std::string_view kAttribution = "x-anthropic-billing-header";

using TakeText = std::function<void(std::string)>;
using TakeBlock = std::function<void(const FieldReader&)>;

// A text, or blocks.
void read_blocks(const FieldReader& reader, const char* name, const TakeText& take_text,
                 const TakeBlock& take_block) {
  const Json* content = reader.find(name);
  if (content == nullptr) return;
  if (const std::string* text = content->as_string()) return take_text(*text);
  if (content->as_array() == nullptr) {
    return reader.refuse(name, "wrong type", "a string or an array of blocks");
  }
  const Json::Array* blocks = reader.array(name, kBlocksMax);
  for (size_t i = 0; blocks != nullptr && i < blocks->size() && !reader.failed(); ++i) {
    const FieldReader block = reader.element(name, (*blocks)[i], i);
    if (!reader.failed()) take_block(block);
  }
}

std::string required_text(const FieldReader& block, std::string_view name) {
  std::optional<std::string> text = block.string(name);
  if (!text) block.refuse(name, "missing", "a string");
  return std::move(text).value_or("");
}

std::string unsupported(const char* told, const char* word, Call& call) {
  ignore(call, word);
  return told;
}

std::string document_text(const FieldReader& block, Call& call) {
  const auto source = block.object("source");
  if (source && source->string("type") == "text") return required_text(*source, "data");
  return unsupported("[Unsupported Document]", "documents", call);
}

// Its title, where it was found, and what it says.
std::string search_result_text(const FieldReader& block) {
  std::string text = block.string("title").value_or("");
  const auto add = [&text](const std::string& more) {
    text.append(text.empty() || more.empty() ? "" : "\n").append(more);
  };
  add(block.string("source").value_or(""));
  read_blocks(block, "content", add,
              [&](const FieldReader& part) { add(part.string("text").value_or("")); });
  return text;
}

// What a block tells the model in words. None: nothing.
std::optional<std::string> text_of(const FieldReader& block, Call& call) {
  const std::string type = required_text(block, "type");
  if (type == "text") return required_text(block, "text");
  if (type == "image") return unsupported("[Unsupported Image]", "images", call);
  if (type == "document") return document_text(block, call);
  if (type == "search_result") return search_result_text(block);
  if (type != "redacted_thinking") ignore(call, "blocks");
  return std::nullopt;
}

// Where a text goes on after that line; the end of the text, where nothing else is there.
size_t end_of_attribution(const std::string& text) {
  const size_t end = text.find_first_of("\r\n");
  const size_t rest = end == std::string::npos ? end : text.find_first_not_of("\r\n", end);
  return std::min(rest, text.size());
}

// Reads one turn of the client's.
class Turn {
 public:
  Turn(Role role, Call& call) : role_(role), call_(&call), first_(call.messages.size()) {}

  void read(const FieldReader& reader, const char* name) {
    read_blocks(
        reader, name, [this](std::string text) { add_text(std::move(text)); },
        [this](const FieldReader& block) { add_block(block); });
  }

 private:
  // System texts stay apart: where each stands means something.
  Message& message() {
    std::vector<Message>& messages = call_->messages;
    const bool may_go_on = role_ != Role::kSystem || messages.size() > first_;
    const bool goes_on = may_go_on && !messages.empty() && messages.back().role == role_;
    if (!goes_on) messages.push_back({.role = role_});
    return messages.back();
  }

  void add_text(std::string text) {
    if (role_ == Role::kSystem && text.starts_with(kAttribution)) {
      call_->repairs.add(Repair::kAttribution);
      text.erase(0, end_of_attribution(text));
      if (text.empty()) return;
    }
    message().parts.push_back(std::move(text));
  }

  void add_block(const FieldReader& block) {
    add_told_block(block);
    read_cache_mark(block, "cache_control", std::ssize(call_->messages), *call_);
  }

  void add_told_block(const FieldReader& block) {
    const std::optional<std::string> type = block.string("type");
    if (role_ == Role::kAssistant && type == "thinking") return add_thinking(block);
    if (role_ == Role::kAssistant && type == "tool_use") return add_call(block);
    if (role_ == Role::kUser && type == "tool_result") return add_result(block);
    if (std::optional<std::string> text = text_of(block, *call_)) add_text(std::move(*text));
  }

  void add_thinking(const FieldReader& block) {
    std::string& reasoning = message().reasoning;
    const std::string more = block.string("thinking").value_or("");
    if (auto signature = block.string("signature")) message().said_as = std::move(*signature);
    if (!reasoning.empty() && !more.empty()) reasoning += "\n\n";
    reasoning += more;
  }

  void add_call(const FieldReader& block) {
    const Json* input = block.find("input");
    if (input != nullptr && input->as_object() == nullptr) {
      return block.refuse("input", "wrong type", "an object");
    }
    message().calls.push_back({.id = required_text(block, "id"),
                               .name = required_text(block, "name"),
                               .arguments = input == nullptr ? "{}" : input->dump()});
  }

  void add_result(const FieldReader& block) {
    block.boolean("is_error");  // what went wrong is told by the content
    Message result{.role = Role::kTool, .call_id = required_text(block, "tool_use_id")};
    read_blocks(
        block, "content", [&](std::string text) { result.parts.push_back(std::move(text)); },
        [&](const FieldReader& part) {
          if (auto text = text_of(part, *call_)) result.parts.push_back(std::move(*text));
          read_cache_mark(part, "cache_control", std::ssize(call_->messages) + 1, *call_);
        });
    call_->messages.push_back(std::move(result));
  }

  Role role_;
  Call* call_;
  size_t first_;  // messages that were there before
};

// As Anthropic's documentation has it, the answer goes on where the assistant's text ends; but
// nothing can follow a call before its result.
bool is_to_continue(const std::vector<Message>& messages) {
  const Message& last = messages.back();
  return last.role == Role::kAssistant && last.calls.empty() && !last.parts.empty();
}

}  // namespace

void read_messages_input(const FieldReader& body, Call& call) {
  Turn(Role::kSystem, call).read(body, "system");
  const Json::Array* messages = body.array("messages", kMessagesMax);
  if (messages == nullptr) return body.refuse("messages", "missing", "an array of messages");
  if (messages->empty()) return body.refuse("messages", "empty", "at least one message");
  for (size_t i = 0; i < messages->size() && !body.failed(); ++i) {
    const FieldReader reader = body.element("messages", (*messages)[i], i);
    if (body.failed()) return;
    const Role role = read_role(reader, kRoles);
    if (!reader.has("content")) {
      return reader.refuse("content", "missing", "a string or an array of blocks");
    }
    Turn(role, call).read(reader, "content");
  }
  if (call.messages.empty()) return body.refuse("messages", "nothing in them that is told");
  call.form.continues_last = is_to_continue(call.messages);
  read_cache_mark(body, "cache_control", std::ssize(call.messages), call);
}

}  // namespace kvasir::server
