// find_nested_config finds the config of the text model in one that may wrap it in parts of its own
// name, once or twice. A pure function.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace kvasir {

struct NestedConfig {
  std::vector<const Json*> chain;  // the whole first, the innermost part last; never empty
  std::string prefix;              // of the innermost one's fields in messages: "text_config."
};

// The chain points into `root`, but not all of it need be objects: what stands under the name of a
// text model is not passed over.
NestedConfig find_nested_config(const Json& root);

}  // namespace kvasir
