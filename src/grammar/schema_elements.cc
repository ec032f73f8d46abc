// Objects of JSON Schema whose members are written as elements.
#include <algorithm>
#include <utility>

#include "grammar/schema_reader.h"
#include "grammar/schema_words.h"

namespace kvasir::grammar {

Result<NodeId> read_elements(Builder& builder, JsonText& text, const ElementParts& parts,
                             const Json& schema) {
  return SchemaReader(builder, text, schema).read_element_document(parts);
}

Result<NodeId> SchemaReader::read_element_document(const ElementParts& parts) {
  element_ = parts;
  return read_waiting(read_elements(objects_of(document_), "#"));
}

Result<NodeId> SchemaReader::read_elements(const Json& schema, const std::string& path) {
  if (++depth_ > kDepthMax) {
    return schema_error("schemas are nested too deep", path, {},
                        "at most " + std::to_string(kDepthMax) + " levels");
  }
  Result<NodeId> read = read_resolved_elements(schema, path);
  --depth_;
  return read;
}

Result<NodeId> SchemaReader::read_resolved_elements(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const Json whole, resolved(schema, path, 0));
  if (const bool* const any = whole.as_bool()) {
    return *any ? read_object_elements(Json::Object(), path) : builder_.never();
  }
  KVASIR_RETURN_IF_ERROR(check_keywords(whole, path));
  for (const char* keyword : {"enum", "const"}) {
    if (whole.find(keyword) == nullptr) continue;
    return schema_error("a keyword that is not supported of arguments", path, keyword);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (whole.find(keyword) == nullptr) continue;
    const Json::Array* const list = whole.find(keyword)->as_array();
    if (list == nullptr || list->empty() || list->size() > kWaysMax) {
      return schema_error("wrong type", path, keyword, "a list of schemas");
    }
    std::vector<NodeId> ways;
    const Json rest = without(whole, keyword);
    for (size_t i = 0; i < list->size(); ++i) {
      const Json both = Json::Object{{"allOf", Json::Array{rest, (*list)[i]}}};
      const std::string branch_path = path + "/" + keyword + "/" + std::to_string(i);
      KVASIR_ASSIGN_OR_RETURN(const NodeId way, read_elements(both, branch_path));
      ways.push_back(way);
    }
    return builder_.choice(std::move(ways));
  }
  KVASIR_ASSIGN_OR_RETURN(const std::vector<std::string> types, types_of(whole, path));
  return types.empty() ? builder_.never() : read_object_elements(whole, path);
}

Result<NodeId> SchemaReader::read_object_elements(const Json& schema, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<Property> properties, properties_of(schema, path));
  KVASIR_RETURN_IF_ERROR(check_ways(properties, path));
  std::vector<NodeId> parts;
  std::vector<std::string> names;
  for (const Property& property : properties) {
    if (!JsonText::is_plain_name(property.name)) {
      return schema_error("a name that no argument can have", property.path, {},
                          "one without quotes, backslashes, <, > and =");
    }
    KVASIR_ASSIGN_OR_RETURN(const NodeId one, read_element(builder_.text(property.name),
                                                           *property.schema, property.path));
    parts.push_back(property.is_required ? one : builder_.optional(one));
    names.push_back(property.name);
  }
  if (const Json* const additional = additional_of(schema)) {
    const NodeId name = text_.plain_name_besides(std::move(names));
    KVASIR_ASSIGN_OR_RETURN(const NodeId one,
                            read_element(name, *additional, path + "/additionalProperties"));
    parts.push_back(builder_.repeat(one, 0, Builder::kNoMax));
  }
  const bool may_be_empty = std::ranges::none_of(properties, &Property::is_required);
  if (!element_.none || !may_be_empty) return builder_.sequence(std::move(parts));
  if (parts.empty()) return *element_.none;
  return builder_.choice({*element_.none, builder_.sequence(std::move(parts))});
}

Result<NodeId> SchemaReader::read_element(NodeId name, const Json& schema,
                                          const std::string& path) {
  std::vector<NodeId> ways;
  for (const auto& [part, before] :
       {std::pair(Part::kText, element_.text), std::pair(Part::kOther, element_.json)}) {
    const PartScope scope(part_, part);
    KVASIR_ASSIGN_OR_RETURN(const NodeId value, read(schema, path));
    ways.push_back(builder_.sequence({before, value}));
  }
  return builder_.sequence({element_.open, name, builder_.choice(std::move(ways)), element_.close});
}

}  // namespace kvasir::grammar
