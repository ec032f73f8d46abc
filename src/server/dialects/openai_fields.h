// These functions read what requests of several dialects have in common. What is wrong is kept by
// the FieldReader. They own nothing; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/dialect.h"
#include "server/dialects/tool_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {

// Behind Call::own of Chat Completions and of Completions.
struct OpenAiCall {
  bool includes_usage = false;  // stream_options: a stream ends with a chunk of usage
  bool uses_functions = false;  // tools are known as functions, as they were at first
  ClientTools tools;
};
const OpenAiCall& openai_call(const Call& call);

// Sampling, stop strings, answer count, guided_* fields, stream, cache_salt, prompt_cache_key; and
// Call::own.
void read_common_fields(const FieldReader& body, const Dialect::HeaderOf& header, Call& call);

// A stop string, or a list of them.
void read_stops(const FieldReader& body, const char* name, std::vector<std::string>& stops);

// A count of tokens. None: left out, or -1, which asks for as many as fit.
std::optional<int64_t> read_token_count(const FieldReader& body, std::string_view name,
                                        int64_t min);

// Refuses a count of answers other than one.
void require_one_answer(const FieldReader& body, const Call& call);

// The call, or what was wrong with it, in its options too.
Result<Call> checked_call(Call call, std::optional<Error> error);

// Adds the word to Call::ignored, once.
void ignore(Call& call, std::string_view word);

// Adds the fields that ask for something: not those left out, null or empty lists.
void note_ignored(const FieldReader& body, std::span<const char* const> names, Call& call);

}  // namespace kvasir::server
