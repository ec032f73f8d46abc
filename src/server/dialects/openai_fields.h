// These functions read what requests of Chat Completions and Completions have in common. What is
// wrong is kept by the FieldReader. They own nothing; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

// Behind Call::own of both dialects.
struct OpenAiCall {
  bool includes_usage = false;  // stream_options: a stream ends with a chunk of usage
};
const OpenAiCall& openai_call(const Call& call);

// Sampling, stop strings, answer count, stream, cache_salt, prompt_cache_key; and Call::own.
void read_common_fields(const FieldReader& body, const Dialect::HeaderOf& header, Call& call);

// A count of tokens. None: left out, or -1, which asks for as many as fit.
std::optional<int64_t> read_token_count(const FieldReader& body, std::string_view name,
                                        int64_t min);

// The call, or what was wrong with it, in its options too.
Result<Call> checked_call(Call call, std::optional<Error> error);

// Adds the word to Call::ignored, once.
void ignore(Call& call, std::string_view word);

}  // namespace kvasir::server
