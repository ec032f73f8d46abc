// How the keys of a GGUF file say that heads are turned.
#pragma once

#include "base/json.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"
#include "model/decoder/gguf_keys.h"

namespace kvasir::model::decoder {

// An entry of rope_parameters, in the words of a config.json. truncates: YaRN's ramp begins and
// ends at whole numbers. is_scaled: the scaling that the file states holds for these layers.
Json gguf_rope(const GgufKeys& keys, double theta, bool truncates, bool is_scaled);

// LongRoPE: which of the file's two lists of divisors counts, and the factor on cosines and sines.
// Errors: a factor that is none; the type without what converters write beside the lists.
Status read_gguf_longrope(const GgufKeys& keys, std::string_view where, int64_t context_tokens,
                          Config& config);

}  // namespace kvasir::model::decoder
