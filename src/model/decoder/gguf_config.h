// The keys of a GGUF file, put into the words of a config.json, so that both are read by one
// reader; and what its tensors hold otherwise than those of the original checkpoint.
#pragma once

#include <string_view>

#include "base/json.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"

namespace kvasir::model::decoder {

// Returns whether the keys of a GGUF file name an architecture of this family.
bool runs_gguf(const Json& keys);

// Errors: as read_config(), of the keys.
Result<Config> read_gguf_config(const Json& all, std::string_view where,
                                int64_t context_tokens = 0);

}  // namespace kvasir::model::decoder
