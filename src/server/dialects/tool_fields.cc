#include "server/dialects/tool_fields.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "server/dialects/openai_fields.h"

namespace kvasir::server {
namespace {

constexpr size_t kNameBytesMax = 128;
constexpr size_t kSchemaBytesMax = size_t{1} << 20;
constexpr int kSchemaDepthMax = 48;

constexpr const char* kCustomSchema =
    R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::ranges::all_of(name, is_name_character);
}

// Of values within values, the value itself included.
int depth(const Json& value) {
  int deepest = 0;
  if (const Json::Array* elements = value.as_array()) {
    for (const Json& element : *elements) deepest = std::max(deepest, depth(element));
  }
  if (const Json::Object* members = value.as_object()) {
    for (const auto& [name, member] : *members) deepest = std::max(deepest, depth(member));
  }
  return deepest + 1;
}

// Empty: left out, or an error.
std::string read_schema(const FieldReader& reader, std::string_view name) {
  if (!reader.object(name)) return {};
  const Json& schema = *reader.find(name);
  std::string text = schema.dump();
  if (text.size() > kSchemaBytesMax) {
    reader.refuse(name, "too long", fmt::format("at most {} bytes", kSchemaBytesMax));
  } else if (depth(schema) > kSchemaDepthMax) {
    reader.refuse(name, "nested too deeply", fmt::format("at most {} levels", kSchemaDepthMax));
  }
  return text;
}

// What its text has to look like is told to the model in words: nothing else makes it so.
std::string custom_description(const FieldReader& tool) {
  std::string text = tool.string("description").value_or("");
  const auto format = tool.object("format");
  if (!format) return text;
  // Chat Completions has it one level deeper.
  const auto grammar = format->object("grammar");
  const auto definition = (grammar ? *grammar : *format).string("definition");
  if (!definition) return text;
  text.append(text.empty() ? "" : "\n\n").append("The input follows this grammar:\n");
  return text + *definition;
}

}  // namespace

std::string read_tool_name(const FieldReader& reader) {
  const std::optional<std::string> name = reader.string("name");
  if (!name) {
    reader.refuse("name", "missing", "a string");
  } else if (!is_name(*name)) {
    reader.refuse("name", "no name of a tool",
                  fmt::format("1 to {} letters, digits, underscores and hyphens", kNameBytesMax));
  }
  return name.value_or("");
}

ClientTool client_tool(const ClientTools& tools, const std::string& told_name) {
  const auto found = tools.find(told_name);
  return found == tools.end() ? ClientTool{.name = told_name} : found->second;
}

std::string name_in_space(const std::string& space, const std::string& name) {
  if (space.empty()) return name;
  return space + (space.ends_with("__") ? "" : "__") + name;
}

void ToolReader::add_function(const FieldReader& tool, std::string_view schema,
                              const std::string& space) {
  ClientTool client{.space = space, .name = read_tool_name(tool)};
  Tool told{.description = tool.string("description").value_or(""),
            .parameters = read_schema(tool, schema),
            .is_strict = tool.boolean("strict").value_or(false),
            .field = tool.path_of(schema)};
  add(tool, std::move(told), std::move(client));
}

void ToolReader::add_custom(const FieldReader& tool, const std::string& space) {
  ClientTool client{.space = space, .name = read_tool_name(tool), .is_custom = true};
  Tool told{
      .description = custom_description(tool), .parameters = kCustomSchema, .field = tool.path()};
  add(tool, std::move(told), std::move(client));
}

void ToolReader::skip() { ignore(*call_, "hosted_tools"); }

void ToolReader::add(const FieldReader& reader, Tool tool, ClientTool client) {
  tool.name = name_in_space(client.space, client.name);
  if (!names_.insert(tool.name).second) {
    return reader.refuse("name", "another tool has it too", "a name of its own");
  }
  if (names_.size() > kToolsMax) {
    return reader.refuse("name", "too many tools", fmt::format("at most {}", kToolsMax));
  }
  if (client.is_custom || !client.space.empty()) client_tools_.emplace(tool.name, client);
  call_->form.tools.push_back(std::move(tool));
}

void choose_tool(const FieldReader& reader, std::string name, FormOptions& form) {
  if (!reader.has("name")) return reader.refuse("name", "missing", "a string");
  if (std::ranges::find(form.tools, name, &Tool::name) == form.tools.end()) {
    return reader.refuse("name", "no such tool", "the name of one of the tools");
  }
  form.tool_choice = ToolChoice::kNamed;
  form.tool_name = std::move(name);
}

void settle_tools(const FieldReader& body, std::string_view choice, bool is_parallel, Call& call) {
  const FormOptions& form = call.form;
  if (form.tool_choice == ToolChoice::kRequired && form.tools.empty()) {
    return body.refuse(choice, "there is no tool to call", "tools, or auto");
  }
  call.options.reads_calls = !form.tools.empty() && form.tool_choice != ToolChoice::kNone;
  if (call.options.reads_calls && !is_parallel) call.options.calls_max = 1;
}

void read_answer_format(const FieldReader& format, std::string_view holder, FormOptions& form) {
  const auto type = format.string("type");
  if (!type) return format.refuse("type", "missing", "a string");
  if (*type == "text") return;
  if (*type == "json_object") {
    form.answer_format = AnswerFormat::kJsonObject;
    return;
  }
  if (*type != "json_schema") {
    return format.refuse("type", "not supported", "text, json_object or json_schema");
  }
  if (!holder.empty() && !format.has(holder)) return format.refuse(holder, "missing", "an object");
  const auto place = holder.empty() ? format : format.object(holder);
  if (!place) return;
  if (!place->has("schema")) return place->refuse("schema", "missing", "an object");
  form.answer_format = AnswerFormat::kJsonSchema;
  form.answer_schema = read_schema(*place, "schema");
}

}  // namespace kvasir::server
