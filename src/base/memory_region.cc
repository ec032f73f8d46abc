#include "base/memory_region.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>

#include "base/check.h"
#include "base/mapped_memory.h"

namespace kvasir {
namespace {

size_t round_down(size_t place) { return place / kLargePageBytes * kLargePageBytes; }
size_t round_up(size_t place) { return round_down(place + kLargePageBytes - 1); }

}  // namespace

MemoryRegion::MemoryRegion() {
  begin_ = static_cast<std::byte*>(map_memory(kBytes));
  if (failed()) return;
  free_[0] = kBytes;
  ASAN_POISON_MEMORY_REGION(begin_, kBytes);
}

MemoryRegion::~MemoryRegion() {
  if (failed()) return;
  ASAN_UNPOISON_MEMORY_REGION(begin_, kBytes);
  unmap_memory(begin_, kBytes);
}

bool MemoryRegion::has(const void* piece) const {
  const std::less_equal<const void*> is_not_behind;
  return is_not_behind(begin_, piece) && !is_not_behind(begin_ + kBytes, piece);
}

std::byte* MemoryRegion::allocate(size_t bytes) {
  const auto found = std::find_if(free_.begin(), free_.end(), [=](const auto& range) {
    return range.second - range.first >= bytes;
  });
  if (found == free_.end()) return nullptr;
  const Range whole = {.begin = found->first, .end = found->second};
  const Range piece = {.begin = whole.begin, .end = whole.begin + bytes};
  free_.erase(found);
  if (piece.end < whole.end) free_[piece.end] = whole.end;
  ASAN_UNPOISON_MEMORY_REGION(begin_ + piece.begin, bytes);
  // Large pages that were free altogether are zeros again, or still.
  clear({.begin = piece.begin, .end = std::min(piece.end, round_up(whole.begin))});
  clear({.begin = std::max(piece.begin, round_down(whole.end)), .end = piece.end});
  touched_end_ = std::max(touched_end_, piece.end);
  return begin_ + piece.begin;
}

void MemoryRegion::clear(const Range& range) {
  const size_t end = std::min(range.end, touched_end_);
  if (range.begin < end) std::memset(begin_ + range.begin, 0, end - range.begin);
}

void MemoryRegion::free(std::byte* piece, size_t bytes) {
  const auto begin = static_cast<size_t>(piece - begin_);
  const Range freed = {.begin = begin, .end = begin + bytes};
  Range whole = freed;
  auto next = free_.lower_bound(freed.begin);
  KVASIR_CHECK(next == free_.end() || next->first >= freed.end, "what is freed was not free");
  if (next != free_.end() && next->first == freed.end) {
    whole.end = next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    KVASIR_CHECK(before->second <= freed.begin, "what is freed was not free");
    if (before->second == freed.begin) whole.begin = before->first;
  }
  free_[whole.begin] = whole.end;
  return_pages(freed, whole);
  ASAN_POISON_MEMORY_REGION(piece, bytes);
}

// Gives back the large pages of a free range that had a part of what is freed now.
void MemoryRegion::return_pages(const Range& freed, const Range& whole) const {
  const size_t begin = std::max(round_up(whole.begin), round_down(freed.begin));
  const size_t end = std::min(round_down(whole.end), round_up(freed.end));
  if (begin < end) return_large_pages(begin_ + begin, end - begin);
}

}  // namespace kvasir
