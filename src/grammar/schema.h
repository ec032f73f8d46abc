// read_schema turns a JSON Schema (2020-12) into a grammar of the JSON texts that it allows, with
// the members of objects in the order of its `properties`.
//
// Followed: type (also a list, and `nullable`), properties, required, additionalProperties, items,
// prefixItems, minItems, maxItems, enum, const, anyOf, oneOf (as anyOf), allOf where it can be put
// into one schema, $ref into the same document, minLength, maxLength, pattern, the formats date,
// time, date-time, uuid, email and ipv4, and bounds of numbers. Other keywords that would change
// what is allowed are refused by name; annotations are passed over. Where a schema allows more than
// it speaks of, as members without a word about additionalProperties, these are not written.
#pragma once

#include <optional>

#include "base/json.h"
#include "grammar/builder.h"
#include "grammar/json_text.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

// Error: kUsage; `where` is the path in the schema, such as "#/properties/age".
Result<NodeId> read_schema(Builder& builder, const Json& schema);
// Its objects alone. Schemas of one grammar share the parts of JSON. Errors: the same.
Result<NodeId> read_object_schema(Builder& builder, JsonText& text, const Json& schema);

// What stands around the members of an object that are written as elements: <a name="N"
// string="true">text</a>. Strings stand as they are, other values as JSON.
struct ElementParts {
  NodeId open = 0;             // before the name
  NodeId text = 0;             // between name and a string
  NodeId json = 0;             // between name and another value
  NodeId close = 0;            // behind either: holds what no string has in it
  std::optional<NodeId> none;  // may stand where there are no members
};

// The members of its objects as elements. Errors: the same; a name that no element can have.
Result<NodeId> read_elements(Builder& builder, JsonText& text, const ElementParts& parts,
                             const Json& schema);

}  // namespace kvasir::grammar
