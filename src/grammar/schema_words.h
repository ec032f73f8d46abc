// What the keywords of JSON Schema are to this module: followed, harmless, or refused; and how two
// schemas that both have to hold become one. Free functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

// Whether a schema says anything besides annotations.
bool has_meaning(const Json& schema);
// The schema without one keyword.
Json without(const Json& schema, std::string_view keyword);
// What allows the schema's objects alone.
Json objects_of(const Json& schema);

// Error: a keyword that would change what is allowed and that is not followed.
Status check_keywords(const Json& schema, const std::string& path);

// A schema that allows what both allow; no $ref may be left in either. Error: that cannot be said
// in one.
Result<Json> merge_schemas(const Json& a, const Json& b, const std::string& path);

Error schema_error(std::string what, const std::string& path, std::string_view keyword = {},
                   std::string expected = {});

}  // namespace kvasir::grammar
