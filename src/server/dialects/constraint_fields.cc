#include "server/dialects/constraint_fields.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace kvasir::server {
namespace {

using Kind = Constraint::Kind;

constexpr size_t kChoicesMax = 65'536;

void set(const FieldReader& parent, std::string_view name, Constraint made,
         Constraint& constraint) {
  if (constraint.kind != Kind::kNone) {
    return parent.refuse(name, "asked for beside " + constraint.field, "one form of the answer");
  }
  made.field = parent.path_of(name);
  constraint = std::move(made);
}

// A schema, which some clients send as a text.
void read_schema(const FieldReader& parent, std::string_view name, Constraint& constraint) {
  const Json* const schema = parent.find(name);
  if (schema == nullptr) return;
  const std::string* const text = schema->as_string();
  const bool is_schema =
      text != nullptr || schema->as_object() != nullptr || schema->as_bool() != nullptr;
  if (!is_schema) return parent.refuse(name, "wrong type", "a JSON Schema");
  set(parent, name, {.kind = Kind::kJsonSchema, .text = text != nullptr ? *text : schema->dump()},
      constraint);
}

void read_regex(const FieldReader& parent, std::string_view name, Constraint& constraint) {
  std::optional<std::string> pattern = parent.string(name);
  if (!pattern) return;
  set(parent, name, {.kind = Kind::kRegex, .text = std::move(*pattern)}, constraint);
}

void read_choice(const FieldReader& parent, std::string_view name, Constraint& constraint) {
  const Json::Array* const list = parent.array(name, kChoicesMax);
  if (list == nullptr) return;
  Constraint made{.kind = Kind::kChoice};
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string* const text = (*list)[i].as_string();
    if (text == nullptr)
      return parent.refuse(fmt::format("{}[{}]", name, i), "wrong type", "a string");
    made.texts.push_back(*text);
  }
  set(parent, name, std::move(made), constraint);
}

}  // namespace

void read_format(const FieldReader& parent, std::string_view name, Constraint& constraint) {
  const std::optional<FieldReader> format = parent.object(name);
  if (!format) return;
  const std::optional<std::string> type = format->string("type");
  if (!type) return format->refuse("type", "missing", "a string");
  if (*type == "text") return;
  if (*type != "json_object" && *type != "json_schema") {
    return format->refuse("type", "not supported", "text, json_object or json_schema");
  }
  const std::optional<FieldReader> inner = format->object("json_schema");
  const FieldReader& holder = inner ? *inner : *format;
  if (holder.has("schema")) return read_schema(holder, "schema", constraint);
  set(parent, name, {.kind = Kind::kJsonObject}, constraint);
}

void read_guided_fields(const FieldReader& body, Constraint& constraint) {
  read_schema(body, "json_schema", constraint);
  read_schema(body, "guided_json", constraint);
  read_regex(body, "guided_regex", constraint);
  read_choice(body, "guided_choice", constraint);
  const std::optional<FieldReader> outputs = body.object("structured_outputs");
  if (!outputs) return;
  read_schema(*outputs, "json", constraint);
  read_regex(*outputs, "regex", constraint);
  read_choice(*outputs, "choice", constraint);
  if (outputs->boolean("json_object").value_or(false)) {
    set(*outputs, "json_object", {.kind = Kind::kJsonObject}, constraint);
  }
  for (const char* name : {"grammar", "structural_tag"}) {
    if (outputs->has(name)) outputs->refuse(name, "not supported", "json, regex or choice");
  }
}

}  // namespace kvasir::server
