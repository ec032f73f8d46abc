// read_private_file reads a file that holds a secret: one that nobody but its owner can read. Any
// thread.
#pragma once

#include <cstddef>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

// Returns the bytes of the file. Errors: it cannot be read; it is a folder or a device; its group
// or others may read, write or run it (kUsage); it is larger than bytes_max. None shows its bytes.
Result<std::string> read_private_file(const std::string& path, size_t bytes_max);

}  // namespace kvasir
