// Large memory comes from the system itself, in pages as large as it lends: a pass that reads all
// of a cache spends less on finding where its pages lie.
//
// What is smaller than several large pages shares regions with others of its kind: the blocks of a
// cache lie side by side, and a large page reaches from one into the next. What is freed goes back
// to the system by the large page, as soon as nothing else lies in it.
//
// Threads: any, at any time.
#pragma once

#include <cstddef>

#include "base/mapped_memory.h"

namespace kvasir {

// Memory of at least this size is worth asking for.
inline constexpr size_t kLargeMemoryMin = size_t{128} << 10;
// It begins at a multiple of this.
inline constexpr size_t kLargeMemoryAlignment = kSmallPageBytes;

// Returns zeros; null: there is not enough memory. What is never touched takes none, but for what
// shares a large page with something that is. Freed with free_large, which gets the same `bytes`.
void* allocate_large(size_t bytes);
void free_large(void* data, size_t bytes);

}  // namespace kvasir
