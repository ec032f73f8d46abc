// These functions read and write whole files.
#pragma once

#include <string>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

// Returns the bytes of a file; "-" is standard input. Errors: unreadable, larger than 1 GiB.
Result<std::string> read_whole_file(const std::string& path);
// Returns the text in a file without a UTF-8 byte order mark. Errors: the same; a mark of UTF-16 or
// UTF-32.
Result<std::string> read_text_file(const std::string& path);
// Replaces what was there. Error: the file cannot be written; it may then be cut short.
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace kvasir
