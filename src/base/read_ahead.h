// read_ahead has pages of mapped files read before they are touched, so that many are under way at
// once: whoever touches them one by one waits for each. Any thread may call it. Linux.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvasir {

// Asks for the pages of `bytes` that are not in memory, without waiting for them, and returns how
// many bytes they are. It costs a look at each page where all are. Files that this process may not
// write and does not own count as in memory: of those the system does not tell.
int64_t read_ahead(std::span<const std::byte> bytes);

}  // namespace kvasir
