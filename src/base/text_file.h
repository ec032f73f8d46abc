// Reading a whole file of text.
#pragma once

#include <string>

#include "kvasir/result.h"

namespace kvasir {

// The whole file; "-" is standard input. Errors: unreadable, larger than 1 GiB.
Result<std::string> read_text_file(const std::string& path);

}  // namespace kvasir
