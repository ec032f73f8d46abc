// Objects and arrays of JSON Schema.
#include <algorithm>
#include <utility>

#include "grammar/schema_reader.h"
#include "grammar/schema_words.h"

namespace kvasir::grammar {
namespace {

// Elements or members that follow each other: `first` where none stands before, `next` else.
struct Tail {
  NodeId first = 0;
  NodeId next = 0;
};

// Puts one in front of a tail.
Tail before(Builder& builder, NodeId comma, NodeId one, bool is_required, const Tail& tail) {
  const NodeId first = builder.sequence({one, tail.next});
  const NodeId next = builder.sequence({comma, one, tail.next});
  if (is_required) return {first, next};
  return {builder.choice({first, tail.first}), builder.choice({next, tail.next})};
}

// `min` to `max` of one kind.
Tail many(Builder& builder, NodeId comma, NodeId one, int64_t min, int64_t max) {
  if (max == 0) return {builder.empty(), builder.empty()};
  const NodeId more = builder.sequence({comma, one});
  const int64_t max_more = max == Builder::kNoMax ? max : max - 1;
  const NodeId first =
      builder.sequence({one, builder.repeat(more, std::max(min - 1, int64_t{0}), max_more)});
  const NodeId next = builder.repeat(more, min, max);
  return {min > 0 ? first : builder.optional(first), next};
}

}  // namespace

Result<NodeId> SchemaReader::read_array(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const auto min, count_of(schema, "minItems", path));
  KVASIR_ASSIGN_OR_RETURN(const auto max, count_of(schema, "maxItems", path));
  if (max && *max < min.value_or(0)) return builder_.never();
  const Json* items = schema.find("items");
  const Json* prefix = schema.find("prefixItems");
  // So older versions have it.
  if (items != nullptr && items->as_array() != nullptr) {
    prefix = items;
    items = schema.find("additionalItems");
  }
  const Json::Array none;
  if (prefix != nullptr && prefix->as_array() == nullptr) {
    return schema_error("wrong type", path, "prefixItems", "a list of schemas");
  }
  const Json::Array& first_ones = prefix != nullptr ? *prefix->as_array() : none;
  const auto count = std::ssize(first_ones);
  const Json any(prefix == nullptr);
  const Json& rest = items != nullptr ? *items : any;
  NodeId item = builder_.never();
  if (rest.as_bool() == nullptr || *rest.as_bool()) {
    KVASIR_ASSIGN_OR_RETURN(item, read(rest, path + "/items"));
    // Counted ones are written out as often as they may stand there.
    if (min.value_or(0) > 1 || max) item = builder_.shared(item);
  } else if (min.value_or(0) > count) {
    return builder_.never();
  }
  const bool has_rest = item != builder_.never();
  const int64_t rest_max = !has_rest ? 0
                           : max     ? std::max(*max - count, int64_t{0})
                                     : Builder::kNoMax;
  Tail tail =
      many(builder_, text_.comma(), item, std::max(min.value_or(0) - count, int64_t{0}), rest_max);
  const int64_t used = max ? std::min<int64_t>(count, *max) : count;
  for (int64_t i = used; i-- > 0;) {
    KVASIR_ASSIGN_OR_RETURN(const NodeId one, read(first_ones[static_cast<size_t>(i)],
                                                   path + "/prefixItems/" + std::to_string(i)));
    // Where one is left out, so are those behind it.
    const NodeId first = builder_.sequence({one, tail.next});
    const NodeId next = builder_.sequence({text_.comma(), one, tail.next});
    const bool is_required = i < min.value_or(0);
    tail = {is_required ? first : builder_.optional(first),
            is_required ? next : builder_.optional(next)};
  }
  return text_.bracketed('[', tail.first, ']');
}

Result<NodeId> SchemaReader::read_object(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<Property> properties, properties_of(schema, path));
  KVASIR_RETURN_IF_ERROR(check_ways(properties, path));
  std::vector<NodeId> members;
  std::vector<std::string> names;
  for (const Property& property : properties) {
    KVASIR_ASSIGN_OR_RETURN(const NodeId value, read(*property.schema, property.path));
    members.push_back(text_.member(builder_.text(Json(property.name).dump()), value));
    names.push_back(property.name);
  }
  Tail tail{builder_.empty(), builder_.empty()};
  if (const Json* const additional = additional_of(schema)) {
    KVASIR_ASSIGN_OR_RETURN(const NodeId value, read(*additional, path + "/additionalProperties"));
    const NodeId name = names.empty() ? text_.string() : text_.name_besides(std::move(names));
    tail = many(builder_, text_.comma(), text_.member(name, value), 0, Builder::kNoMax);
  }
  for (size_t i = properties.size(); i-- > 0;) {
    tail = before(builder_, text_.comma(), members[i], properties[i].is_required, tail);
  }
  return text_.bracketed('{', tail.first, '}');
}

Result<std::vector<std::string>> SchemaReader::required_of(const Json& schema,
                                                           const std::string& path) const {
  std::vector<std::string> names;
  const Json* const required = schema.find("required");
  if (required == nullptr) return names;
  const Error wrong = schema_error("wrong type", path, "required", "a list of names");
  if (required->as_array() == nullptr) return wrong;
  for (const Json& name : *required->as_array()) {
    if (name.as_string() == nullptr) return wrong;
    names.push_back(*name.as_string());
  }
  return names;
}

Result<std::vector<SchemaReader::Property>> SchemaReader::properties_of(
    const Json& schema, const std::string& path) const {
  KVASIR_ASSIGN_OR_RETURN(std::vector<std::string> required, required_of(schema, path));
  std::sort(required.begin(), required.end());
  std::vector<Property> properties;
  const Json* const listed = schema.find("properties");
  if (listed != nullptr && listed->as_object() == nullptr) {
    return schema_error("wrong type", path, "properties", "an object");
  }
  static const Json::Object kNone;
  std::vector<std::string> names;
  for (const auto& [name, value] : listed != nullptr ? *listed->as_object() : kNone) {
    const bool is_required = std::binary_search(required.begin(), required.end(), name);
    properties.push_back({name, &value, path + "/properties/" + name, is_required});
    names.push_back(name);
  }
  // Those that only `required` names are what additionalProperties says.
  std::sort(names.begin(), names.end());
  required.erase(std::unique(required.begin(), required.end()), required.end());
  static const Json kAny(true);
  const Json* const additional = schema.find("additionalProperties");
  for (const std::string& name : required) {
    if (std::binary_search(names.begin(), names.end(), name)) continue;
    properties.push_back({name, additional != nullptr ? additional : &kAny, path, true});
  }
  return properties;
}

const Json* SchemaReader::additional_of(const Json& schema) const {
  static const Json kAny(true);
  const Json* const additional = schema.find("additionalProperties");
  if (additional == nullptr) return schema.find("properties") == nullptr ? &kAny : nullptr;
  const bool is_none = additional->as_bool() != nullptr && !*additional->as_bool();
  return is_none ? nullptr : additional;
}

// Where many may be left out in a row, any of them may come next.
Status SchemaReader::check_ways(const std::vector<Property>& properties,
                                const std::string& path) const {
  size_t ways = 0;
  for (const Property& property : properties) {
    ways = property.is_required ? 0 : ways + 1;
    if (ways <= kWaysMax) continue;
    return schema_error("too many members in a row that may be left out", path, "properties",
                        "at most " + std::to_string(kWaysMax));
  }
  return ok_status();
}

}  // namespace kvasir::grammar
