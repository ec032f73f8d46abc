// Memory straight from the system, in pages as large as it lends. The caller owns it.
//
// Threads: any, at any time.
#pragma once

#include <cstddef>

namespace kvasir {

inline constexpr size_t kLargePageBytes = size_t{2} << 20;
inline constexpr size_t kSmallPageBytes = 4096;

constexpr size_t whole_pages(size_t bytes) {
  return (bytes + kSmallPageBytes - 1) / kSmallPageBytes * kSmallPageBytes;
}

// Returns zeros from the beginning of a large page on; null: there is not enough memory. Large
// pages reach no further than `bytes`, and what is never touched takes none.
void* map_memory(size_t bytes);
void unmap_memory(void* data, size_t bytes);

// Gives the memory of whole large pages back. They are zeros again.
void return_large_pages(void* data, size_t bytes);

}  // namespace kvasir
