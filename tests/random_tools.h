// Random schemas of arguments in the keywords that agents use, and whether a value fits one, judged
// apart from any grammar. Free functions.
#pragma once

#include <random>
#include <string>

#include "base/json.h"

namespace kvasir::testing {

// An object; every text of it is short.
Json random_arguments_schema(std::mt19937& random);

// REQUIRES: a schema of those.
bool fits(const Json& value, const Json& schema);

}  // namespace kvasir::testing
