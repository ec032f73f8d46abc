#include "random_tools.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace kvasir::testing {
namespace {

Json random_schema(std::mt19937& random, int depth);

Json random_object(std::mt19937& random, int depth) {
  Json::Object properties;
  Json::Array required;
  const auto count = random() % 4;
  for (size_t i = 0; i < count; ++i) {
    std::string name = "p" + std::to_string(i);
    if (random() % 2 == 0) required.emplace_back(name);
    properties.emplace_back(std::move(name), random_schema(random, depth + 1));
  }
  return Json::Object{{"type", "object"},
                      {"properties", std::move(properties)},
                      {"required", std::move(required)},
                      {"additionalProperties", false}};
}

Json random_schema(std::mt19937& random, int depth) {
  const Json text = Json::Object{{"type", "string"}, {"maxLength", 6}};
  switch (random() % (depth < 3 ? 9 : 6)) {
    case 0:
      return text;
    case 1:
      return Json::Object{{"enum", Json::Array{"red", "a <b> \"c\"", "</", 3, Json()}}};
    case 2:
      return Json::Object{{"type", "integer"}, {"minimum", -5}, {"maximum", 40}};
    case 3:
      return Json::Object{{"type", "boolean"}};
    case 4:
      return Json::Object{{"type", Json::Array{"string", "null"}}, {"maxLength", 3}};
    case 5:
      return Json::Object{{"type", "number"}, {"minimum", 0}, {"maximum", 1}};
    case 6:
      return Json::Object{
          {"type", "array"}, {"items", random_schema(random, depth + 1)}, {"maxItems", 2}};
    case 7:
      return Json::Object{{"anyOf", Json::Array{random_schema(random, depth + 1), text}}};
    default:
      return random_object(random, depth);
  }
}

int64_t character_count(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); at += read_character(text, at).size_bytes) ++count;
  return count;
}

double number_of(const Json& value) {
  return value.as_integer() != nullptr ? static_cast<double>(*value.as_integer())
                                       : *value.as_double();
}

bool is_of_type(const Json& value, std::string_view type) {
  if (type == "string") return value.as_string() != nullptr;
  if (type == "boolean") return value.as_bool() != nullptr;
  if (type == "null") return value.is_null();
  if (type == "array") return value.as_array() != nullptr;
  if (type == "object") return value.as_object() != nullptr;
  if (type == "integer") return value.as_integer() != nullptr;
  return value.as_integer() != nullptr || value.as_double() != nullptr;
}

bool is_of_types(const Json& value, const Json& types) {
  if (types.as_string() != nullptr) return is_of_type(value, *types.as_string());
  return std::ranges::any_of(
      *types.as_array(), [&](const Json& type) { return is_of_type(value, *type.as_string()); });
}

bool members_fit(const Json::Object& object, const Json& schema) {
  const Json& properties = *schema.find("properties");
  for (const auto& [name, value] : object) {
    const Json* const wanted = properties.find(name);
    if (wanted == nullptr || !fits(value, *wanted)) return false;
  }
  return std::ranges::all_of(*schema.find("required")->as_array(), [&](const Json& name) {
    return std::ranges::find(object, *name.as_string(), &std::pair<std::string, Json>::first) !=
           object.end();
  });
}

bool keyword_holds(const Json& value, const std::string& keyword, const Json& said) {
  const Json::Array* const list = value.as_array();
  if (keyword == "type") return is_of_types(value, said);
  if (keyword == "anyOf") {
    return std::ranges::any_of(*said.as_array(), [&](const Json& one) { return fits(value, one); });
  }
  if (keyword == "enum") {
    return std::ranges::any_of(*said.as_array(),
                               [&](const Json& one) { return one.dump() == value.dump(); });
  }
  if (keyword == "maxLength" && value.as_string() != nullptr) {
    return character_count(*value.as_string()) <= *said.as_integer();
  }
  if (keyword == "items" && list != nullptr) {
    return std::ranges::all_of(*list, [&](const Json& item) { return fits(item, said); });
  }
  if (keyword == "maxItems" && list != nullptr) return std::ssize(*list) <= *said.as_integer();
  if (!is_of_type(value, "number")) return true;
  if (keyword == "minimum") return number_of(value) >= number_of(said);
  if (keyword == "maximum") return number_of(value) <= number_of(said);
  return true;
}

}  // namespace

Json random_arguments_schema(std::mt19937& random) { return random_object(random, 0); }

bool fits(const Json& value, const Json& schema) {
  for (const auto& [keyword, said] : *schema.as_object()) {
    if (!keyword_holds(value, keyword, said)) return false;
  }
  return value.as_object() == nullptr || schema.find("properties") == nullptr ||
         members_fit(*value.as_object(), schema);
}

}  // namespace kvasir::testing
