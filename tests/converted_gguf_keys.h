// The keys of a GGUF file of a decoder.
#pragma once

#include <string>

#include "base/json.h"
#include "converted_gguf.h"

namespace kvasir::testing {

void add_keys(const Json& config, const std::string& architecture, const ConversionForm& form,
              GgufMaker& maker);

// A number of the config by the first of two names that it has; absent: none.
double number_of(const Json& config, std::string_view name, double absent = 0);

}  // namespace kvasir::testing
