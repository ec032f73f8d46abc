// Large memory comes from the system itself, in pages as large as it lends: a pass that reads all
// of a cache spends less on finding where its pages lie.
#pragma once

#include <cstddef>

namespace kvasir {

// Memory of at least this size is worth asking the system for.
inline constexpr size_t kLargePageBytes = size_t{2} << 20;

// Returns zeros, from a multiple of kLargePageBytes on; null: there is not enough memory. What is
// never touched takes none, and large pages reach no further than `bytes`. Freed with free_large.
void* allocate_large(size_t bytes);
void free_large(void* data, size_t bytes);

}  // namespace kvasir
