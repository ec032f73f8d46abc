// A SchemaReader reads the schemas inside a schema. It refers to the document and to the builder.
// One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grammar/builder.h"
#include "grammar/json_text.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

class SchemaReader {
 public:
  SchemaReader(Builder& builder, const Json& document)
      : builder_(builder), document_(document), text_(builder) {}

  // The document's own schema, and those that it refers to.
  Result<NodeId> read_document();

 private:
  static constexpr int kDepthMax = 64;
  static constexpr int kSchemasMax = 20'000;

  struct Reference {
    RuleId rule = 0;
    const Json* schema = nullptr;
    std::string path;
  };

  Result<NodeId> read(const Json& schema, const std::string& path);
  Result<NodeId> read_meaning(const Json& schema, const std::string& path);
  Result<NodeId> read_reference(const std::string& name, const std::string& path);
  Result<const Json*> find_reference(const std::string& name, const std::string& path) const;
  Result<NodeId> read_all_of(const Json& schema, const std::string& path);
  // With its references and those of its branches put into it.
  Result<Json> resolved(const Json& schema, const std::string& path, int depth);
  Result<NodeId> read_any_of(const Json& schema, std::string_view keyword, const std::string& path);

  Result<NodeId> read_values(const Json& schema, const std::string& path);
  NodeId literal(const Json& value);
  Result<NodeId> read_types(const Json& schema, const std::string& path);
  Result<std::vector<std::string>> types_of(const Json& schema, const std::string& path) const;
  Result<NodeId> read_type(const Json& schema, const std::string& type, const std::string& path);

  Result<NodeId> read_string(const Json& schema, const std::string& path);
  Result<NodeId> read_pattern(std::string_view pattern, bool is_anchored, const std::string& path);
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
    NodeId member = 0;
    bool is_required = false;
  };
  Result<std::vector<Property>> read_properties(const Json& schema, const std::string& path);
  Result<std::vector<std::string>> required_of(const Json& schema, const std::string& path) const;
  // A member of a name that `properties` does not have. None: there is no such.
  Result<std::optional<NodeId>> read_additional(const Json& schema,
                                                const std::vector<Property>& properties,
                                                const std::string& path);

  Builder& builder_;
  const Json& document_;
  JsonText text_;
  std::map<std::string, RuleId, std::less<>> rules_;  // by what refers to them
  std::deque<Reference> waiting_;                     // rules that are not read yet
  int depth_ = 0;
  int schema_count_ = 0;
};

}  // namespace kvasir::grammar
