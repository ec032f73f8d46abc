#include "checkpoint/load_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/check.h"
#include "base/system_error.h"

namespace kvasir {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kRegionBytes = int64_t{64} << 20;
constexpr const char* kWhat = "not enough memory for what is copied on loading";

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void LoadMemory::Unmap::operator()(std::byte* start) const {
  ::munmap(start, static_cast<size_t>(size_bytes));
}

Status LoadMemory::add_region(int64_t bytes) {
  const int64_t size = std::max(bytes, kRegionBytes);
  // Pages that may not be written to count against no limit of memory; take() makes them count.
  void* start =
      ::mmap(nullptr, static_cast<size_t>(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return system_error(kWhat, std::to_string(size) + " bytes", errno);
  regions_.push_back({.start = {static_cast<std::byte*>(start), Unmap{size}}});
  return ok_status();
}

Result<std::byte*> LoadMemory::place_for(int64_t bytes) {
  KVASIR_CHECK(bytes >= 0, "a size");
  const int64_t size = aligned(bytes);
  if (regions_.empty() || regions_.back().free_bytes() < size) {
    KVASIR_RETURN_IF_ERROR(add_region(size));
  }
  Region& region = regions_.back();
  std::byte* place = region.start.get() + region.used_bytes;
  region.used_bytes += size;
  placed_bytes_ += bytes;
  return place;
}

Status LoadMemory::take() {
  for (const Region& region : regions_) {
    const int failed = ::mprotect(region.start.get(), static_cast<size_t>(region.used_bytes),
                                  PROT_READ | PROT_WRITE);
    if (failed == 0) {
#if defined(MADV_HUGEPAGE)
      // A wish: products read nearly all of it for each token, and large pages are found sooner.
      (void)::madvise(region.start.get(), static_cast<size_t>(region.used_bytes), MADV_HUGEPAGE);
#endif
      continue;
    }
    return system_error(kWhat, std::to_string(region.used_bytes) + " bytes", errno);
  }
  taken_bytes_ = placed_bytes_;
  return ok_status();
}

}  // namespace kvasir
