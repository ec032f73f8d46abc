#include "server/dialects/openai_tools.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "server/dialects/openai_fields.h"

namespace kvasir::server {
namespace {

constexpr const char* kChoice = "tool_choice";

bool is_ours(std::string_view kind) { return kind == "function" || kind == "custom"; }

std::string kind_of_tool(const FieldReader& tool) {
  return tool.string("type").value_or("function");
}

std::string told_name(const FieldReader& tool) {
  return name_in_space(tool.string("namespace").value_or(""), tool.string("name").value_or(""));
}

void take_word(const FieldReader& reader, std::string_view field, std::string_view word,
               FormOptions& form) {
  if (word == "none") {
    form.tool_choice = ToolChoice::kNone;
  } else if (word == "required") {
    form.tool_choice = ToolChoice::kRequired;
  } else if (word != "auto") {
    reader.refuse(field, "unknown choice", "none, auto, required or a tool");
  }
}

class OpenAiTools {
 public:
  OpenAiTools(ToolShape shape, Call& call) : shape_(shape), call_(&call), tools_(call) {}

  void read(const FieldReader& body) {
    read_list(body, {});
    read_choice(body);
    settle_tools(body, kChoice, body.boolean("parallel_tool_calls").value_or(true), *call_);
  }
  const ClientTools& client_tools() const { return tools_.client_tools(); }

 private:
  void read_list(const FieldReader& holder, const std::string& space) {
    const Json::Array* list = holder.array("tools", kToolsMax);
    for (size_t i = 0; list != nullptr && i < list->size() && !holder.failed(); ++i) {
      const FieldReader tool = holder.element("tools", (*list)[i], i);
      if (!holder.failed()) add(tool, space);
    }
  }

  void add(const FieldReader& tool, const std::string& space) {
    const std::string kind = kind_of_tool(tool);
    const bool may_be_space = shape_ == ToolShape::kFlat && space.empty();
    if (kind == "namespace" && may_be_space) return add_space(tool);
    if (!is_ours(kind)) return tools_.skip();
    const std::optional<FieldReader> holder = members_of(tool, kind);
    if (!holder) return;
    if (kind == "custom") return tools_.add_custom(*holder, space);
    tools_.add_function(*holder, "parameters", space);
  }

  void add_space(const FieldReader& tool) {
    const std::string space = read_tool_name(tool);
    if (!tool.failed()) read_list(tool, space);
  }

  std::optional<FieldReader> members_of(const FieldReader& tool, std::string_view kind) const {
    if (shape_ == ToolShape::kFlat) return tool;
    std::optional<FieldReader> members = tool.object(kind);
    if (!members) tool.refuse(kind, "missing", "an object");
    return members;
  }

  void read_choice(const FieldReader& body) {
    const Json* choice = body.find(kChoice);
    if (choice == nullptr) return;
    if (const std::string* word = choice->as_string()) {
      return take_word(body, kChoice, *word, call_->form);
    }
    const auto object = body.object(kChoice);
    if (!object) return;
    const std::string kind = kind_of_tool(*object);
    if (kind == "allowed_tools") return read_allowed(*object);
    // A kind of tools that are left out.
    if (!is_ours(kind)) return ignore(*call_, kChoice);
    if (const auto tool = members_of(*object, kind)) {
      choose_tool(*tool, told_name(*tool), call_->form);
    }
  }

  void read_allowed(const FieldReader& choice) {
    const auto holder = members_of(choice, "allowed_tools");
    if (!holder) return;
    const std::string mode = holder->string("mode").value_or("auto");
    if (mode == "none") return holder->refuse("mode", "unknown choice", "auto or required");
    take_word(*holder, "mode", mode, call_->form);
    const Json::Array* list = holder->array("tools", kToolsMax);
    if (list == nullptr) return holder->refuse("tools", "missing", "an array of tools");
    std::set<std::string> allowed;
    for (size_t i = 0; i < list->size() && !holder->failed(); ++i) {
      const FieldReader tool = holder->element("tools", (*list)[i], i);
      if (!holder->failed()) add_allowed(tool, allowed);
    }
    std::erase_if(call_->form.tools,
                  [&](const Tool& tool) { return !allowed.contains(tool.name); });
  }

  void add_allowed(const FieldReader& tool, std::set<std::string>& allowed) const {
    const std::string kind = kind_of_tool(tool);
    if (!is_ours(kind)) return;
    if (const auto members = members_of(tool, kind)) allowed.insert(told_name(*members));
  }

  ToolShape shape_;
  Call* call_;
  ToolReader tools_;
};

void read_function_choice(const FieldReader& body, FormOptions& form) {
  const Json* choice = body.find("function_call");
  if (choice == nullptr) return;
  if (const std::string* word = choice->as_string()) {
    return take_word(body, "function_call", *word, form);
  }
  if (const auto named = body.object("function_call")) {
    choose_tool(*named, named->string("name").value_or(""), form);
  }
}

}  // namespace

bool is_told_kind(std::string_view kind) { return is_ours(kind) || kind == "namespace"; }

ClientTools read_openai_tools(const FieldReader& body, ToolShape shape, Call& call) {
  OpenAiTools tools(shape, call);
  tools.read(body);
  return tools.client_tools();
}

bool read_functions(const FieldReader& body, Call& call) {
  const Json::Array* list = body.array("functions", kToolsMax);
  const bool has_some = list != nullptr && !list->empty();
  // Whoever sends both means the same by them.
  if (!call.form.tools.empty()) return false;
  ToolReader tools(call);
  for (size_t i = 0; has_some && i < list->size() && !body.failed(); ++i) {
    const FieldReader function = body.element("functions", (*list)[i], i);
    if (!body.failed()) tools.add_function(function, "parameters");
  }
  read_function_choice(body, call.form);
  settle_tools(body, "function_call", false, call);
  return has_some;
}

}  // namespace kvasir::server
