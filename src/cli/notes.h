// Notes: what a person should know besides the result. Each is said once on standard error; --json
// carries all that were said so far.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"

namespace kvasir::cli {

void note(const std::string& text);
void note_all(const std::vector<Error>& notes);
// An array of the texts.
Json notes_json();

}  // namespace kvasir::cli
