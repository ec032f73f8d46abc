// weight_bytes_in says how large a checkpoint's weights are, whatever its architecture. It reads
// only the heads of the files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

// Sum of all tensors in model.safetensors or in the shards that its index names. Null: the
// directory has neither. Errors: a file that is named and not there, or is no safetensors file.
Result<std::optional<int64_t>> weight_bytes_in(const std::string& directory);

}  // namespace kvasir
