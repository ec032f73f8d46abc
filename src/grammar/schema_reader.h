// A SchemaReader reads the schemas inside a schema. It refers to the document, the
// builder and its parts of JSON.
// One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "grammar/builder.h"
#include "grammar/json_text.h"
#include "grammar/schema.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

class SchemaReader {
 public:
  SchemaReader(Builder& builder, JsonText& text, const Json& document)
      : builder_(builder), document_(document), text_(text) {}

  // The document's own schema, and those that it refers to.
  Result<NodeId> read_document();
  // Objects of it alone.
  Result<NodeId> read_object_document();
  // Members of its objects, each an element.
  Result<NodeId> read_element_document(const ElementParts& parts);

 private:
  static constexpr int kDepthMax = 64;
  static constexpr int kSchemasMax = 20'000;
  // So many ways to go on would be followed side by side at each byte.
  static constexpr size_t kWaysMax = 400;

  // Of the value at hand: as JSON, its strings alone as they are, or all but its strings.
  enum class Part : uint8_t { kWhole, kText, kOther };
  // Reads a part until it goes out of scope.
  class PartScope {
   public:
    PartScope(Part& part, Part now) : part_(part), before_(part) { part_ = now; }
    ~PartScope() { part_ = before_; }
    PartScope(const PartScope&) = delete;
    PartScope& operator=(const PartScope&) = delete;

   private:
    Part& part_;
    Part before_;
  };

  struct Reference {
    RuleId rule = 0;
    Part part = Part::kWhole;
    const Json* schema = nullptr;
    std::string path;
  };

  Result<NodeId> read_waiting(Result<NodeId> root);
  Result<NodeId> read(const Json& schema, const std::string& path);
  NodeId any_value();
  Result<NodeId> read_meaning(const Json& schema, const std::string& path);
  Result<NodeId> read_reference(const std::string& name, const std::string& path);
  Result<const Json*> find_reference(const std::string& name, const std::string& path) const;
  Result<NodeId> read_all_of(const Json& schema, const std::string& path);
  // With its references and those of its branches put into it.
  Result<Json> resolved(const Json& schema, const std::string& path, int depth);
  Result<NodeId> read_any_of(const Json& schema, std::string_view keyword, const std::string& path);

  Result<NodeId> read_values(const Json& schema, const std::string& path);
  NodeId literal(const Json& value);
  bool is_of_part(std::string_view type) const {
    return part_ == Part::kWhole || (part_ == Part::kText) == (type == "string");
  }
  Result<NodeId> read_types(const Json& schema, const std::string& path);
  Result<std::vector<std::string>> types_of(const Json& schema, const std::string& path) const;
  Result<NodeId> read_type(const Json& schema, const std::string& type, const std::string& path);

  Result<NodeId> read_string(const Json& schema, const std::string& path);
  Result<NodeId> read_pattern(std::string_view pattern, bool is_anchored, const std::string& path);
  // A string of such characters.
  NodeId written(NodeId characters) const {
    return part_ == Part::kText ? characters : text_.quoted(characters);
  }
  NodeId character() { return part_ == Part::kText ? text_.plain_character() : text_.character(); }
  Result<NodeId> read_number(const Json& schema, bool is_whole, const std::string& path);
  Result<NodeId> read_array(const Json& schema, const std::string& path);
  Result<NodeId> read_object(const Json& schema, const std::string& path);

  // A count, such as of minItems. None: it is not there.
  Result<std::optional<int64_t>> count_of(const Json& schema, std::string_view keyword,
                                          const std::string& path) const;
  Result<std::optional<int64_t>> bound_of(const Json& schema, std::string_view keyword,
                                          const std::string& path, bool rounds_up,
                                          bool is_whole) const;

  struct Property {
    std::string name;
    const Json* schema = nullptr;
    std::string path;
    bool is_required = false;
  };
  Result<std::vector<Property>> properties_of(const Json& schema, const std::string& path) const;
  Result<std::vector<std::string>> required_of(const Json& schema, const std::string& path) const;
  // What members have that `properties` does not name. Null: there are none such.
  const Json* additional_of(const Json& schema) const;
  Status check_ways(const std::vector<Property>& properties, const std::string& path) const;

  Result<NodeId> read_elements(const Json& schema, const std::string& path);
  Result<NodeId> read_resolved_elements(const Json& schema, const std::string& path);
  Result<NodeId> read_object_elements(const Json& schema, const std::string& path);
  Result<NodeId> read_element(NodeId name, const Json& schema, const std::string& path);

  Builder& builder_;
  const Json& document_;
  JsonText& text_;
  std::map<std::pair<Part, std::string>, RuleId> rules_;  // by what refers to them
  std::deque<Reference> waiting_;                         // rules that are not read yet
  Part part_ = Part::kWhole;
  ElementParts element_;
  int depth_ = 0;
  int schema_count_ = 0;
};

}  // namespace kvasir::grammar
