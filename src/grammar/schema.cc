#include "grammar/schema.h"

#include <charconv>
#include <utility>

#include "grammar/schema_reader.h"
#include "grammar/schema_words.h"

namespace kvasir::grammar {
namespace {

// "%41" -> "A", as a reference is part of a URL.
std::string without_percents(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = 0;
    const bool is_code = text[i] == '%' && i + 2 < text.size() + 0 &&
                         std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
                             text.data() + i + 3;
    plain += is_code ? static_cast<char>(byte) : text[i];
    if (is_code) i += 2;
  }
  return plain;
}

// Of a JSON pointer: "~1" is "/", "~0" is "~".
std::string without_tildes(std::string_view token) {
  std::string plain;
  for (size_t i = 0; i < token.size(); ++i) {
    const bool is_code = token[i] == '~' && i + 1 < token.size();
    plain += is_code ? (token[++i] == '1' ? '/' : '~') : token[i];
  }
  return plain;
}

const Json* child_of(const Json& json, const std::string& token) {
  const Json::Array* const list = json.as_array();
  if (list == nullptr) return json.find(token);
  size_t index = 0;
  const char* const end = token.data() + token.size();
  if (std::from_chars(token.data(), end, index).ptr != end || token.empty()) return nullptr;
  return index < list->size() ? &(*list)[index] : nullptr;
}

const std::string* reference_of(const Json& schema) {
  const Json* const reference = schema.find("$ref");
  return reference == nullptr ? nullptr : reference->as_string();
}

}  // namespace

Result<NodeId> read_schema(Builder& builder, const Json& schema) {
  JsonText text(builder);
  return SchemaReader(builder, text, schema).read_document();
}

Result<NodeId> read_object_schema(Builder& builder, JsonText& text, const Json& schema) {
  return SchemaReader(builder, text, schema).read_object_document();
}

Result<NodeId> SchemaReader::read_document() { return read_waiting(read(document_, "#")); }

Result<NodeId> SchemaReader::read_object_document() {
  return read_waiting(read(objects_of(document_), "#"));
}

Result<NodeId> SchemaReader::read_waiting(Result<NodeId> root) {
  while (root.ok() && !waiting_.empty()) {
    const Reference next = std::move(waiting_.front());
    waiting_.pop_front();
    const PartScope scope(part_, next.part);
    KVASIR_ASSIGN_OR_RETURN(const NodeId node, read(*next.schema, next.path));
    builder_.define(next.rule, node);
  }
  return root;
}

NodeId SchemaReader::any_value() {
  if (part_ == Part::kWhole) return text_.value();
  if (part_ == Part::kOther) return text_.value_but_strings();
  return builder_.repeat(text_.plain_character(), 0, Builder::kNoMax);
}

Result<NodeId> SchemaReader::read(const Json& schema, const std::string& path) {
  if (++schema_count_ > kSchemasMax || builder_.is_too_large()) {
    return schema_error("the schema is too large", path, {},
                        "at most " + std::to_string(kSchemasMax) + " schemas");
  }
  if (const bool* const all = schema.as_bool()) return *all ? any_value() : builder_.never();
  if (schema.as_object() == nullptr) {
    return schema_error("a schema of the wrong type", path, {}, "an object, true or false");
  }
  KVASIR_RETURN_IF_ERROR(check_keywords(schema, path));
  if (++depth_ > kDepthMax) {
    return schema_error("schemas are nested too deep", path, {},
                        "at most " + std::to_string(kDepthMax) + " levels");
  }
  KVASIR_ASSIGN_OR_RETURN(NodeId node, read_meaning(schema, path));
  --depth_;
  const Json* const nullable = schema.find("nullable");
  const bool may_be_null = part_ != Part::kText && nullable != nullptr &&
                           nullable->as_bool() != nullptr && *nullable->as_bool();
  if (may_be_null) {
    node = builder_.choice({node, builder_.text("null")});
  }
  return node;
}

Result<NodeId> SchemaReader::read_meaning(const Json& schema, const std::string& path) {
  if (const Json* const reference = schema.find("$ref")) {
    if (reference->as_string() == nullptr) {
      return schema_error("wrong type", path, "$ref", "a string");
    }
    if (has_meaning(without(schema, "$ref"))) return read_all_of(schema, path);
    return read_reference(*reference->as_string(), path);
  }
  if (schema.find("allOf") != nullptr) return read_all_of(schema, path);
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (schema.find(keyword) != nullptr) return read_any_of(schema, keyword, path);
  }
  if (schema.find("const") != nullptr || schema.find("enum") != nullptr) {
    return read_values(schema, path);
  }
  return read_types(schema, path);
}

// A rule of its own, so that schemas may refer to each other in circles.
Result<NodeId> SchemaReader::read_reference(const std::string& name, const std::string& path) {
  if (const auto known = rules_.find({part_, name}); known != rules_.end()) {
    return builder_.call(known->second);
  }
  KVASIR_ASSIGN_OR_RETURN(const Json* schema, find_reference(name, path));
  const RuleId rule = builder_.new_rule();
  rules_.emplace(std::pair(part_, name), rule);
  waiting_.push_back({rule, part_, schema, name});
  return builder_.call(rule);
}

Result<const Json*> SchemaReader::find_reference(const std::string& name,
                                                 const std::string& path) const {
  if (name != "#" && !name.starts_with("#/")) {
    return schema_error("a reference that cannot be followed", path, "$ref",
                        "one into the same schema, such as #/$defs/name");
  }
  const std::string pointer = without_percents(name);
  const Json* found = &document_;
  for (size_t begin = 1; begin < pointer.size();) {
    const size_t end = std::min(pointer.find('/', begin + 1), pointer.size());
    found = child_of(*found, without_tildes(pointer.substr(begin + 1, end - begin - 1)));
    if (found == nullptr) {
      return schema_error("a reference to nothing", path, "$ref", "a place in the schema");
    }
    begin = end;
  }
  return found;
}

Result<Json> SchemaReader::resolved(const Json& schema, const std::string& path, int depth) {
  if (depth > kDepthMax || ++schema_count_ > kSchemasMax) {
    return schema_error("schemas that both have to hold refer to each other too often", path);
  }
  if (schema.as_object() == nullptr) return schema;
  Json whole = schema;
  if (const std::string* const reference = reference_of(schema)) {
    KVASIR_ASSIGN_OR_RETURN(const Json* target, find_reference(*reference, path));
    KVASIR_ASSIGN_OR_RETURN(const Json other, resolved(*target, path, depth + 1));
    KVASIR_ASSIGN_OR_RETURN(whole, merge_schemas(without(whole, "$ref"), other, path));
  }
  const Json* const list = whole.find("allOf");
  if (list == nullptr) return whole;
  if (list->as_array() == nullptr) return schema_error("wrong type", path, "allOf", "a list");
  Json merged = without(whole, "allOf");
  for (const Json& branch : *list->as_array()) {
    KVASIR_ASSIGN_OR_RETURN(const Json other, resolved(branch, path + "/allOf", depth + 1));
    KVASIR_ASSIGN_OR_RETURN(merged, merge_schemas(merged, other, path));
    if (merged.as_object() == nullptr) break;
  }
  return merged;
}

Result<NodeId> SchemaReader::read_all_of(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const Json merged, resolved(schema, path, 0));
  return read(merged, path);
}

Result<NodeId> SchemaReader::read_any_of(const Json& schema, std::string_view keyword,
                                         const std::string& path) {
  const Json::Array* const list = schema.find(keyword)->as_array();
  if (list == nullptr || list->empty()) {
    return schema_error("wrong type", path, keyword, "a list of schemas");
  }
  if (list->size() > kWaysMax) {
    return schema_error("too many ways to go on", path, keyword,
                        "at most " + std::to_string(kWaysMax));
  }
  const Json rest = without(schema, keyword);
  std::vector<NodeId> ways;
  for (size_t i = 0; i < list->size(); ++i) {
    const std::string branch_path = path + "/" + std::string(keyword) + "/" + std::to_string(i);
    if (!has_meaning(rest)) {
      KVASIR_ASSIGN_OR_RETURN(const NodeId way, read((*list)[i], branch_path));
      ways.push_back(way);
      continue;
    }
    const Json both = Json::Object{{"allOf", Json::Array{rest, (*list)[i]}}};
    KVASIR_ASSIGN_OR_RETURN(const NodeId way, read(both, branch_path));
    ways.push_back(way);
  }
  return builder_.choice(std::move(ways));
}

}  // namespace kvasir::grammar
