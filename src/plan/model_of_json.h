// model_of_json reads a config that was parsed already: a file's, a built-in one, or one made from
// the keys of a GGUF file.
#pragma once

#include <string_view>

#include "base/json.h"
#include "checkpoint/config_source.h"
#include "kvasir/plan.h"
#include "kvasir/result.h"

namespace kvasir::plan {

// Errors: as model_of_config. `parse_config` reads the text that it begins with.
Result<ConfigSource> parse_config(std::string_view text, std::string_view where);
Result<CacheModel> model_of_json(const Json& root, std::string_view where);

}  // namespace kvasir::plan
