#include "base/large_memory.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mapped_memory.h"
#include "base/memory_region.h"

namespace kvasir {
namespace {

// Larger memory loses little by a mapping of its own.
constexpr size_t kSharedMax = MemoryRegion::kBytes / 8;

class SharedRegions {
 public:
  void* allocate(size_t bytes) {
    const std::lock_guard lock(mutex_);
    for (const auto& region : regions_) {
      if (std::byte* piece = region->allocate(bytes); piece != nullptr) return piece;
    }
    auto region = std::make_unique<MemoryRegion>();
    if (region->failed()) return nullptr;
    regions_.push_back(std::move(region));
    return regions_.back()->allocate(bytes);
  }

  void free(void* data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto region =
        std::find_if(regions_.begin(), regions_.end(), [=](const auto& r) { return r->has(data); });
    KVASIR_CHECK(region != regions_.end(), "memory of a region");
    (*region)->free(static_cast<std::byte*>(data), bytes);
    if ((*region)->is_free()) regions_.erase(region);
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<MemoryRegion>> regions_;
};

// Never destroyed: what lies in it may live until the program ends.
SharedRegions& shared_regions() {
  static auto* regions = new SharedRegions;
  return *regions;
}

}  // namespace

void* allocate_large(size_t bytes) {
  if (bytes > kSharedMax) return map_memory(bytes);
  return shared_regions().allocate(whole_pages(bytes));
}

void free_large(void* data, size_t bytes) {
  if (bytes > kSharedMax) {
    unmap_memory(data, bytes);
  } else {
    shared_regions().free(data, whole_pages(bytes));
  }
}

}  // namespace kvasir
