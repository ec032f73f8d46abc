// These functions read and write a whole file of text.
#pragma once

#include <string>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

// Returns the whole file; "-" is standard input. Errors: unreadable, larger than 1 GiB.
Result<std::string> read_text_file(const std::string& path);
// Replaces what was there. Error: the file cannot be written; it may then be cut short.
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace kvasir
