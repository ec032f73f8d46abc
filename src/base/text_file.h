// Reading and writing a whole file of text.
#pragma once

#include <string>
#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

// The whole file; "-" is standard input. Errors: unreadable, larger than 1 GiB.
Result<std::string> read_text_file(const std::string& path);
// In place of what was there. Error: it cannot be written; then it may be cut short.
Status write_text_file(const std::string& path, std::string_view text);

}  // namespace kvasir
