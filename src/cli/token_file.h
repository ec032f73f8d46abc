// read_token_file reads token ids from a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::cli {

// Token ids separated by white space. Error: anything that is no integer of int32, with its offset;
// no ids at all.
Result<std::vector<int32_t>> read_token_file(const std::string& path);

}  // namespace kvasir::cli
