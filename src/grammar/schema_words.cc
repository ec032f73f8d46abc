#include "grammar/schema_words.h"

#include <algorithm>
#include <utility>

namespace kvasir::grammar {
namespace {

constexpr std::string_view kFollowed[] = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "nullable",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "additionalItems",
};

constexpr std::string_view kRefused[] = {
    "not",
    "if",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependencies",
    "contains",
    "dependentSchemas",
    "minProperties",
    "maxProperties",
    "multipleOf",
    "$dynamicRef",
    "$recursiveRef",
    "minContains",
    "maxContains",
    "uniqueItems",
    "unevaluatedItems",
};

template <size_t kCount>
bool has(const std::string_view (&words)[kCount], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// Written so, they say nothing.
bool says_nothing(std::string_view keyword, const Json& value) {
  if (value.as_bool() != nullptr) return keyword == "uniqueItems" && !*value.as_bool();
  const int64_t* const number = value.as_integer();
  return number != nullptr && keyword == "minProperties" && *number == 0;
}

bool is_equal(const Json& a, const Json& b) { return a.dump() == b.dump(); }

bool is_in(const Json& value, const Json::Array& list) {
  return std::any_of(list.begin(), list.end(),
                     [&](const Json& one) { return is_equal(one, value); });
}

Json::Array as_list(const Json& value) {
  return value.as_array() != nullptr ? *value.as_array() : Json::Array{value};
}

bool admits(const Json::Array& types, const Json& type) {
  const std::string* const name = type.as_string();
  return is_in(type, types) || (name != nullptr && *name == "integer" && is_in("number", types));
}

Json::Array common_types(const Json::Array& a, const Json::Array& b) {
  Json::Array both;
  for (const Json& type : a) {
    if (admits(b, type)) both.push_back(type);
  }
  for (const Json& type : b) {
    if (admits(a, type) && !is_in(type, both)) both.push_back(type);
  }
  return both;
}

// The narrower one of two bounds.
Json narrower(const Json& a, const Json& b, bool is_upper) {
  const auto number = [](const Json& bound) {
    return bound.as_integer() != nullptr ? static_cast<double>(*bound.as_integer())
                                         : *bound.as_double();
  };
  return (number(a) < number(b)) == is_upper ? a : b;
}

bool is_number(const Json& value) {
  return value.as_integer() != nullptr || value.as_double() != nullptr;
}

Json::Object merge_properties(const Json::Object& a, const Json::Object& b) {
  Json::Object merged = a;
  for (const auto& added : b) {
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const auto& member) { return member.first == added.first; });
    if (same == merged.end()) {
      merged.push_back(added);
    } else if (!is_equal(same->second, added.second)) {
      same->second = Json::Object{{"allOf", Json::Array{same->second, added.second}}};
    }
  }
  return merged;
}

Result<Json> merge_values(const std::string& keyword, const Json& a, const Json& b,
                          const std::string& path) {
  if (is_equal(a, b)) return a;
  if (keyword == "type") return Json(common_types(as_list(a), as_list(b)));
  if (keyword == "properties" && a.as_object() != nullptr && b.as_object() != nullptr) {
    return Json(merge_properties(*a.as_object(), *b.as_object()));
  }
  const bool are_lists = a.as_array() != nullptr && b.as_array() != nullptr;
  if (keyword == "enum" && are_lists) {
    Json::Array both;
    for (const Json& value : *a.as_array()) {
      if (is_in(value, *b.as_array())) both.push_back(value);
    }
    return Json(std::move(both));
  }
  if ((keyword == "required" || keyword == "allOf") && are_lists) {
    Json::Array both = *a.as_array();
    for (const Json& one : *b.as_array()) {
      if (!is_in(one, both)) both.push_back(one);
    }
    return Json(std::move(both));
  }
  const bool is_lower = keyword.starts_with("min") || keyword == "exclusiveMinimum";
  const bool is_upper = keyword.starts_with("max") || keyword == "exclusiveMaximum";
  if ((is_lower || is_upper) && is_number(a) && is_number(b)) return narrower(a, b, is_upper);
  if (keyword == "items") return Json(Json::Object{{"allOf", Json::Array{a, b}}});
  return schema_error("two schemas that both have to hold cannot be put into one", path, keyword);
}

// What each allows of names is said of the properties of both.
bool is_closed(const Json& schema) {
  const Json* const additional = schema.find("additionalProperties");
  return additional != nullptr && !(additional->as_bool() != nullptr && *additional->as_bool());
}

bool has_same_names(const Json& a, const Json& b) {
  const auto names = [](const Json& schema) {
    std::vector<std::string> found;
    const Json* const properties = schema.find("properties");
    if (properties == nullptr || properties->as_object() == nullptr) return found;
    for (const auto& [name, value] : *properties->as_object()) found.push_back(name);
    std::sort(found.begin(), found.end());
    return found;
  };
  return names(a) == names(b);
}

}  // namespace

Error schema_error(std::string what, const std::string& path, std::string_view keyword,
                   std::string expected) {
  std::string where = path;
  if (!keyword.empty()) where += "/" + std::string(keyword);
  return Error{.kind = ErrorKind::kUsage,
               .what = std::move(what),
               .where = std::move(where),
               .expected = std::move(expected)};
}

bool has_meaning(const Json& schema) {
  if (schema.as_object() == nullptr) return true;
  return std::any_of(schema.as_object()->begin(), schema.as_object()->end(),
                     [](const auto& member) {
                       return has(kFollowed, member.first) || has(kRefused, member.first);
                     });
}

Json without(const Json& schema, std::string_view keyword) {
  Json::Object rest;
  for (const auto& [name, value] : *schema.as_object()) {
    if (name != keyword) rest.emplace_back(name, value);
  }
  return rest;
}

Json objects_of(const Json& schema) {
  const Json::Object object = {{"type", "object"}};
  if (schema.as_object() == nullptr) return Json::Object{{"allOf", Json::Array{schema, object}}};
  const Json never_null = without(schema, "nullable");
  const Json* const type = never_null.find("type");
  const bool is_object =
      type != nullptr && type->as_string() != nullptr && *type->as_string() == "object";
  if (is_object) return never_null;
  return Json::Object{{"allOf", Json::Array{never_null, object}}};
}

Status check_keywords(const Json& schema, const std::string& path) {
  for (const auto& [name, value] : *schema.as_object()) {
    if (!has(kRefused, name) || says_nothing(name, value)) continue;
    return schema_error("a keyword that is not supported", path, name);
  }
  return ok_status();
}

Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path) {
  for (const auto& [one, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    if (one->as_bool() != nullptr) return *one->as_bool() ? *other : *one;
    if (one->as_object() == nullptr) return schema_error("a schema that is no object", path);
  }
  if ((is_closed(a) || is_closed(b)) && !has_same_names(a, b)) {
    const bool adds_none = (is_closed(a) && !b.find("properties") && !b.find("required")) ||
                           (is_closed(b) && !a.find("properties") && !a.find("required"));
    if (!adds_none) {
      return schema_error("two schemas that both have to hold cannot be put into one", path,
                          "additionalProperties");
    }
  }
  Json::Object merged;
  for (const auto& [name, value] : *a.as_object()) {
    if (!has(kFollowed, name) && !has(kRefused, name)) continue;
    const Json* const other = b.find(name);
    if (other == nullptr) {
      merged.emplace_back(name, value);
      continue;
    }
    KVASIR_ASSIGN_OR_RETURN(Json both, merge_values(name, value, *other, path));
    merged.emplace_back(name, std::move(both));
  }
  for (const auto& [name, value] : *b.as_object()) {
    const bool is_known = has(kFollowed, name) || has(kRefused, name);
    if (is_known && a.find(name) == nullptr) merged.emplace_back(name, value);
  }
  return Json(std::move(merged));
}

}  // namespace kvasir::grammar
