#include "text/chat_template.h"

#include <algorithm>
#include <memory>

namespace kvasir::text {
namespace {

using jinja::Dict;
using jinja::Origin;
using jinja::Value;

constexpr std::string_view kSpecialTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};
constexpr std::string_view kRoles[] = {"system",      "developer", "user",         "assistant",
                                       "model",       "tool",      "function",     "ipython",
                                       "observation", "tool_call", "tool_response"};
// The first is what today's templates read.
constexpr std::string_view kReasoningNames[] = {"reasoning_content", "thinking", "reasoning"};

template <size_t size>
bool is_one_of(std::string_view name, const std::string_view (&names)[size]) {
  return std::ranges::find(names, name) != std::end(names);
}

// A token is written as a string, or as an object that has it as its content.
const std::string* token_text(const Json& token) {
  const Json* content = token.find("content");
  return content == nullptr ? token.as_string() : content->as_string();
}

Error wrong_form(std::string_view where, const char* field, const char* expected) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "a field has the wrong form",
               .where = std::string(where) + ", " + field,
               .expected = expected};
}

Status take_named_templates(const Json::Array& templates, std::string_view where,
                            ChatTemplateSource& source) {
  for (const Json& one : templates) {
    const Json* name = one.find("name");
    const Json* text = one.find("template");
    if (name == nullptr || text == nullptr || name->as_string() == nullptr ||
        text->as_string() == nullptr) {
      return wrong_form(where, "chat_template", "objects with a name and a template");
    }
    if (*name->as_string() == "default") source.text = *text->as_string();
    if (*name->as_string() == "tool_use") source.tool_use_text = *text->as_string();
  }
  return ok_status();
}

Value text_value(std::string_view text, Origin origin) { return Value::text(text, origin); }

Origin origin_of_member(std::string_view name, const Json& member) {
  const std::string* role = name == "role" ? member.as_string() : nullptr;
  return role != nullptr && is_one_of(*role, kRoles) ? Origin::kTemplate : Origin::kVariable;
}

const Json* reasoning_in(const Json& message) {
  for (std::string_view name : kReasoningNames) {
    const Json* reasoning = message.find(name);
    if (reasoning != nullptr && !reasoning->is_null()) return reasoning;
  }
  return nullptr;
}

Value message_value(const Json& message) {
  auto dict = std::make_shared<Dict>();
  const Json* reasoning = reasoning_in(message);
  const auto has = [&](std::string_view name) {
    const Json* member = message.find(name);
    return member != nullptr && !member->is_null();
  };
  const auto add = [&](std::string_view name, const Json& member) {
    dict->add(text_value(name, Origin::kVariable),
              Value::from_json(member, origin_of_member(name, member)));
  };
  if (reasoning != nullptr && !has("thinking")) add("thinking", *reasoning);
  for (const auto& [name, member] : *message.as_object()) {
    if (!member.is_null()) add(name, name == "reasoning_content" ? *reasoning : member);
  }
  if (reasoning != nullptr && !has("reasoning_content")) add("reasoning_content", *reasoning);
  return std::shared_ptr<const Dict>(std::move(dict));
}

bool is_array_of_objects(const Json& json) {
  const Json::Array* array = json.as_array();
  return array != nullptr &&
         std::ranges::all_of(*array, [](const Json& one) { return one.as_object() != nullptr; });
}

Error wrong_input(const char* field, const char* expected) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "the conversation has the wrong form",
               .field = field,
               .expected = expected};
}

Status check_input(const ChatTemplateInput& input) {
  if (!is_array_of_objects(input.messages) || input.messages.as_array()->empty()) {
    return wrong_input("messages", "an array of one or more objects");
  }
  if (!input.tools.is_null() && !is_array_of_objects(input.tools)) {
    return wrong_input("tools", "an array of objects");
  }
  if (!input.documents.is_null() && !is_array_of_objects(input.documents)) {
    return wrong_input("documents", "an array of objects");
  }
  if (!input.options.is_null() && input.options.as_object() == nullptr) {
    return wrong_input("options", "an object");
  }
  return ok_status();
}

}  // namespace

Result<ChatTemplateSource> chat_template_source(const Json& tokenizer_config,
                                                std::string_view where) {
  ChatTemplateSource source;
  const Json* given = tokenizer_config.find("chat_template");
  if (given != nullptr && given->as_string() != nullptr) source.text = *given->as_string();
  if (given != nullptr && given->as_array() != nullptr) {
    KVASIR_RETURN_IF_ERROR(take_named_templates(*given->as_array(), where, source));
  }
  if (source.text.empty()) {
    return Error{.kind = ErrorKind::kNotFound,
                 .what = "there is no chat template",
                 .where = std::string(where)};
  }
  for (std::string_view name : kSpecialTokens) {
    const Json* token = tokenizer_config.find(name);
    const std::string* text = token == nullptr ? nullptr : token_text(*token);
    if (text != nullptr) source.special_tokens.emplace_back(name, *text);
  }
  return source;
}

Result<ChatTemplate> ChatTemplate::parse(ChatTemplateSource source, std::string_view where,
                                         const jinja::TemplateLimits& limits) {
  KVASIR_ASSIGN_OR_RETURN(jinja::Template plain,
                          jinja::Template::parse(source.text, where, limits));
  std::optional<jinja::Template> tool_use;
  if (!source.tool_use_text.empty()) {
    KVASIR_ASSIGN_OR_RETURN(tool_use, jinja::Template::parse(source.tool_use_text, where, limits));
  }
  return ChatTemplate(std::move(source), std::move(plain), std::move(tool_use));
}

bool ChatTemplate::names(std::string_view word) const {
  for (const char quote : {'"', '\''}) {
    if (source_.text.find(quote + std::string(word) + quote) != std::string::npos) return true;
  }
  return false;
}

bool ChatTemplate::spells(std::string_view text) const {
  return source_.text.find(text) != std::string::npos ||
         source_.tool_use_text.find(text) != std::string::npos;
}

Result<std::vector<jinja::Segment>> ChatTemplate::render(const ChatTemplateInput& input) const {
  KVASIR_RETURN_IF_ERROR(check_input(input));
  std::vector<Value> messages;
  for (const Json& message : *input.messages.as_array()) {
    messages.push_back(message_value(message));
  }
  // The first of a name counts, so no option hides the messages, and one may hide a special token.
  Dict variables;
  const auto add = [&](std::string_view name, Value value) {
    variables.add(text_value(name, Origin::kVariable), std::move(value));
  };
  add("messages", Value::list(std::move(messages)));
  add("tools", Value::from_json(input.tools));
  add("documents", Value::from_json(input.documents));
  add("add_generation_prompt", input.add_generation_prompt);
  if (input.options.as_object() != nullptr) {
    for (const auto& [name, value] : *input.options.as_object()) add(name, Value::from_json(value));
  }
  for (const auto& [name, text] : source_.special_tokens)
    add(name, text_value(text, Origin::kTemplate));
  const bool has_tools = !input.tools.is_null();
  return (has_tools && tool_use_ ? *tool_use_ : plain_).render(variables, input.now);
}

}  // namespace kvasir::text
