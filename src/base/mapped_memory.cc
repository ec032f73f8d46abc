#include "base/mapped_memory.h"

#include <sys/mman.h>

#include <cstdint>

#include "base/check.h"

namespace kvasir {

void* map_memory(size_t bytes) {
  // More than is wanted, so that the wanted part can begin where a large page does.
  const size_t space = whole_pages(bytes) + kLargePageBytes;
  void* memory = ::mmap(nullptr, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const size_t skipped = -reinterpret_cast<uintptr_t>(memory) % kLargePageBytes;
  std::byte* data = static_cast<std::byte*>(memory) + skipped;
  if (skipped != 0) ::munmap(memory, skipped);
  const size_t used = whole_pages(bytes);
  ::munmap(data + used, space - skipped - used);
#if defined(MADV_HUGEPAGE)
  // A wish: without it the memory is as good, only slower.
  (void)::madvise(data, bytes / kLargePageBytes * kLargePageBytes, MADV_HUGEPAGE);
#endif
  return data;
}

void unmap_memory(void* data, size_t bytes) { ::munmap(data, whole_pages(bytes)); }

void return_large_pages(void* data, size_t bytes) {
  KVASIR_CHECK(::madvise(data, bytes, MADV_DONTNEED) == 0, "pages that are mapped");
}

}  // namespace kvasir
