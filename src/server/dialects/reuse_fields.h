// These functions read what a request is to be compared with, and write a ReuseReport as OpenAI's
// and Anthropic's clients know it, with the place of the change besides. Free functions; any
// thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

// prompt_cache_options.comparison_response_id
void read_comparison(const FieldReader& body, Call& call);
// diagnostics.previous_message_id
void read_diagnostics(const FieldReader& body, Call& call);

// prompt_cache_diagnostics
Json openai_diagnostics(const ReuseReport& report);
// diagnostics; null: nothing was missed.
Json anthropic_diagnostics(const ReuseReport& report);

// kvasir_proof; adds nothing where there is none.
void add_proof(const std::optional<Proof>& proof, Json::Object& object);

// What clients know of an id behind the prefix of their dialect.
std::string_view without_id_prefix(std::string_view id);

}  // namespace kvasir::server
