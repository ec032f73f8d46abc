// spaced_json() writes JSON as models are shown it: blanks behind the separators, text as it is,
// names in the order they came in.
//
// A free function; any number of threads may call it.
#pragma once

#include <string>

#include "base/json.h"

namespace kvasir::text {

// REQUIRES: what was parsed, so that its depth is bounded.
std::string spaced_json(const Json& json);

}  // namespace kvasir::text
