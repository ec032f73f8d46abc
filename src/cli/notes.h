// Notes tell a person what to know besides the result. Each is said once on standard error, and
// --json carries all that were said so far.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/engine.h"

namespace kvasir::cli {

void note(const std::string& text);
void note_all(const std::vector<Error>& notes);
// Returns an array of the texts.
Json notes_json();

// Gives a note where so many tokens are more than the model was made for.
void note_context(const ModelInfo& model, int64_t token_count);

}  // namespace kvasir::cli
