// These functions read the steps of a tokenizer.json: what is done to a text before it is encoded,
// to tokens when they are decoded, and what is put around a text. What they cannot do they refuse
// by name. Pure functions; any thread.
#pragma once

#include "kvasir/result.h"
#include "text/json_fields.h"
#include "text/tokenizer_data.h"

namespace kvasir::text {

// Each fills its part of `data` from the member of the file that it is named after.
Status read_normalizer(const JsonFields& file, TokenizerData& data);
// Also says in which alphabet the tokens are.
Status read_pre_tokenizer(const JsonFields& file, TokenizerData& data);
// After read_pre_tokenizer.
Status read_decoder(const JsonFields& file, TokenizerData& data);
Status read_post_processor(const JsonFields& file, TokenizerData& data);

}  // namespace kvasir::text
