// What each type of JSON Schema allows, and values by name.
#include <algorithm>
#include <cmath>
#include <utility>

#include "grammar/choice.h"
#include "grammar/regex.h"
#include "grammar/schema_reader.h"
#include "grammar/schema_words.h"

namespace kvasir::grammar {
namespace {

constexpr std::string_view kTypes[] = {"object", "array",   "string", "integer",
                                       "number", "boolean", "null"};

// Keywords that speak of a type, for schemas that do not name one.
constexpr std::pair<std::string_view, std::string_view> kTypeOfKeyword[] = {
    {"properties", "object"}, {"required", "object"},         {"additionalProperties", "object"},
    {"items", "array"},       {"prefixItems", "array"},       {"minItems", "array"},
    {"maxItems", "array"},    {"minLength", "string"},        {"maxLength", "string"},
    {"pattern", "string"},    {"format", "string"},           {"minimum", "number"},
    {"maximum", "number"},    {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"},
};

constexpr std::string_view kTime =
    "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
constexpr std::string_view kDate =
    "(\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|"
    "02-(0[1-9]|1\\d|2[0-8]))|"
    "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
constexpr std::string_view kByte = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

// None: a format that counts as an annotation.
std::optional<std::string> pattern_of_format(std::string_view format) {
  if (format == "date") return std::string(kDate);
  if (format == "time") return std::string(kTime);
  if (format == "date-time") return std::string(kDate) + "T" + std::string(kTime);
  if (format == "uuid") return "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
  if (format == "ipv4") return std::string(kByte) + "(\\." + std::string(kByte) + "){3}";
  if (format == "email") {
    return "[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,32}){0,3}@"
           "([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?\\.){1,4}[A-Za-z]{2,24}";
  }
  return std::nullopt;
}

std::string_view type_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.as_bool() != nullptr) return "boolean";
  if (value.as_integer() != nullptr) return "integer";
  if (value.as_double() != nullptr) return "number";
  if (value.as_string() != nullptr) return "string";
  return value.as_array() != nullptr ? "array" : "object";
}

bool admits(const std::vector<std::string>& types, std::string_view type) {
  return std::any_of(types.begin(), types.end(), [&](const std::string& one) {
    return one == type || (one == "number" && type == "integer");
  });
}

}  // namespace

Result<NodeId> SchemaReader::read_values(const Json& schema, const std::string& path) {
  for (const auto& [keyword, type] : kTypeOfKeyword) {
    if (schema.find(keyword) == nullptr || keyword == "format") continue;
    return schema_error("a keyword that is not supported beside enum or const", path, keyword);
  }
  Json::Array values;
  if (const Json* const list = schema.find("enum")) {
    if (list->as_array() == nullptr) return schema_error("wrong type", path, "enum", "a list");
    values = *list->as_array();
  }
  if (const Json* const one = schema.find("const")) {
    const bool is_listed = schema.find("enum") == nullptr ||
                           std::any_of(values.begin(), values.end(), [&](const Json& value) {
                             return value.dump() == one->dump();
                           });
    values = is_listed ? Json::Array{*one} : Json::Array{};
  }
  std::vector<std::string> types;
  if (schema.find("type") != nullptr) {
    KVASIR_ASSIGN_OR_RETURN(types, types_of(schema, path));
  }
  std::vector<std::string> plain;
  std::vector<NodeId> ways;
  for (const Json& value : values) {
    const std::string_view type = type_of(value);
    if (!is_of_part(type) || (!types.empty() && !admits(types, type))) continue;
    if (value.as_array() != nullptr || value.as_object() != nullptr) {
      ways.push_back(literal(value));
    } else {
      plain.push_back(part_ == Part::kText ? *value.as_string() : value.dump());
    }
  }
  if (!plain.empty()) ways.push_back(choice_of_texts(builder_, std::move(plain)));
  return builder_.choice(std::move(ways));
}

NodeId SchemaReader::literal(const Json& value) {
  std::vector<NodeId> parts;
  const auto add = [&](NodeId part) {
    if (!parts.empty()) parts.push_back(text_.comma());
    parts.push_back(part);
  };
  if (const Json::Array* const list = value.as_array()) {
    for (const Json& item : *list) add(literal(item));
    return text_.bracketed('[', builder_.sequence(std::move(parts)), ']');
  }
  if (const Json::Object* const object = value.as_object()) {
    for (const auto& [name, member] : *object) {
      add(text_.member(builder_.text(Json(name).dump()), literal(member)));
    }
    return text_.bracketed('{', builder_.sequence(std::move(parts)), '}');
  }
  return builder_.text(value.dump());
}

Result<std::vector<std::string>> SchemaReader::types_of(const Json& schema,
                                                        const std::string& path) const {
  std::vector<std::string> types;
  const Json* const named = schema.find("type");
  if (named == nullptr) {
    for (const auto& [keyword, type] : kTypeOfKeyword) {
      if (schema.find(keyword) == nullptr) continue;
      return std::vector<std::string>{std::string(type)};
    }
    return types;
  }
  const Json::Array one{*named};
  const Json::Array& list = named->as_array() != nullptr ? *named->as_array() : one;
  for (const Json& type : list) {
    const std::string* const name = type.as_string();
    if (name == nullptr ||
        std::find(std::begin(kTypes), std::end(kTypes), *name) == std::end(kTypes)) {
      return schema_error("an unknown type", path, "type", "a type of JSON, or a list of them");
    }
    types.push_back(*name);
  }
  return types;
}

Result<NodeId> SchemaReader::read_types(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<std::string> types, types_of(schema, path));
  if (types.empty() && schema.find("type") == nullptr) return any_value();
  std::vector<NodeId> ways;
  for (const std::string& type : types) {
    if (!is_of_part(type)) continue;
    KVASIR_ASSIGN_OR_RETURN(const NodeId way, read_type(schema, type, path));
    ways.push_back(way);
  }
  return builder_.choice(std::move(ways));
}

Result<NodeId> SchemaReader::read_type(const Json& schema, const std::string& type,
                                       const std::string& path) {
  if (type == "object" || type == "array") {
    const PartScope inside(part_, Part::kWhole);
    return type == "object" ? read_object(schema, path) : read_array(schema, path);
  }
  if (type == "string") return read_string(schema, path);
  if (type == "boolean") return text_.boolean();
  if (type == "null") return builder_.text("null");
  return read_number(schema, type == "integer", path);
}

Result<std::optional<int64_t>> SchemaReader::count_of(const Json& schema, std::string_view keyword,
                                                      const std::string& path) const {
  const Json* const value = schema.find(keyword);
  if (value == nullptr) return std::optional<int64_t>();
  if (value->as_integer() == nullptr || *value->as_integer() < 0) {
    return schema_error("wrong type", path, keyword, "a count");
  }
  constexpr int64_t kCountMax = Builder::kStatesMax;
  return std::optional(std::min(*value->as_integer(), kCountMax + 1));
}

Result<NodeId> SchemaReader::read_string(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const auto min, count_of(schema, "minLength", path));
  KVASIR_ASSIGN_OR_RETURN(const auto max, count_of(schema, "maxLength", path));
  if (const Json* const pattern = schema.find("pattern")) {
    if (pattern->as_string() == nullptr) {
      return schema_error("wrong type", path, "pattern", "a string");
    }
    if (min.value_or(0) > 0 || max) {
      return schema_error("pattern and a length together are not supported", path, "pattern");
    }
    return read_pattern(*pattern->as_string(), false, path);
  }
  if (max && *max < min.value_or(0)) return builder_.never();
  const Json* const format = schema.find("format");
  if (format != nullptr && format->as_string() != nullptr && !min && !max) {
    if (const auto pattern = pattern_of_format(*format->as_string())) {
      return read_pattern(*pattern, true, path);
    }
  }
  if (!min && !max && part_ != Part::kText) return text_.string();
  return written(builder_.repeat(character(), min.value_or(0), max.value_or(Builder::kNoMax)));
}

Result<NodeId> SchemaReader::read_pattern(std::string_view pattern, bool is_anchored,
                                          const std::string& path) {
  const RegexOptions options{
      .write = part_ == Part::kText ? &CharacterSet::utf8 : &CharacterSet::json,
      .is_anchored = is_anchored,
      .any_character = character()};
  Result<NodeId> characters = read_regex(builder_, pattern, options);
  if (characters.ok()) return written(*characters);
  Error error = std::move(characters).error();
  error.where = path + "/pattern";
  return error;
}

Result<std::optional<int64_t>> SchemaReader::bound_of(const Json& schema, std::string_view keyword,
                                                      const std::string& path, bool rounds_up,
                                                      bool is_whole) const {
  const Json* const value = schema.find(keyword);
  if (value == nullptr) return std::optional<int64_t>();
  if (value->as_integer() != nullptr) return std::optional(*value->as_integer());
  if (value->as_double() == nullptr) return schema_error("wrong type", path, keyword, "a number");
  const double rounded =
      rounds_up ? std::ceil(*value->as_double()) : std::floor(*value->as_double());
  if (!is_whole && rounded != *value->as_double()) {
    return schema_error("a bound of numbers that is not supported", path, keyword,
                        "a whole number");
  }
  constexpr double kLargest = 1e18;
  return std::optional(static_cast<int64_t>(std::clamp(rounded, -kLargest, kLargest)));
}

Result<NodeId> SchemaReader::read_number(const Json& schema, bool is_whole,
                                         const std::string& path) {
  // Of a whole number above 1.5 the bound is 2, included; above 2 it is 2, excluded.
  JsonText::Bounds bounds;
  KVASIR_ASSIGN_OR_RETURN(bounds.min, bound_of(schema, "minimum", path, true, is_whole));
  KVASIR_ASSIGN_OR_RETURN(bounds.max, bound_of(schema, "maximum", path, false, is_whole));
  KVASIR_ASSIGN_OR_RETURN(const auto above,
                          bound_of(schema, "exclusiveMinimum", path, false, is_whole));
  KVASIR_ASSIGN_OR_RETURN(const auto below,
                          bound_of(schema, "exclusiveMaximum", path, true, is_whole));
  if (above && (!bounds.min || *above >= *bounds.min)) {
    bounds.min = above;
    bounds.excludes_min = true;
  }
  if (below && (!bounds.max || *below <= *bounds.max)) {
    bounds.max = below;
    bounds.excludes_max = true;
  }
  if (!bounds.min && !bounds.max) return is_whole ? text_.integer() : text_.number();
  if (bounds.min && bounds.max && *bounds.min > *bounds.max) return builder_.never();
  return is_whole ? text_.integer_within(bounds) : text_.number_within(bounds);
}

}  // namespace kvasir::grammar
