// A MemoryRegion cuts pieces out of one stretch of address space that is given large pages as it is
// touched. Pieces begin at multiples of kSmallPageBytes and hold zeros. Of what is free,
// large pages that no piece reaches into belong to the system.
//
// It owns the stretch. Not for several threads at once.
#pragma once

#include <cstddef>
#include <map>

namespace kvasir {

class MemoryRegion {
 public:
  static constexpr size_t kBytes = size_t{64} << 20;

  MemoryRegion();  // maps the stretch; failed() if the system has none
  ~MemoryRegion();
  MemoryRegion(const MemoryRegion&) = delete;
  MemoryRegion& operator=(const MemoryRegion&) = delete;

  bool failed() const { return begin_ == nullptr; }
  bool has(const void* piece) const;
  bool is_free() const { return free_ == std::map<size_t, size_t>{{0, kBytes}}; }

  // The first place where so many bytes are free; null: there is none.
  // REQUIRES: bytes is a multiple of kSmallPageBytes, here and below.
  std::byte* allocate(size_t bytes);
  void free(std::byte* piece, size_t bytes);

 private:
  struct Range {
    size_t begin;
    size_t end;
  };

  void clear(const Range& range);
  void return_pages(const Range& freed, const Range& whole) const;

  std::byte* begin_ = nullptr;
  size_t touched_end_ = 0;         // nothing was ever allocated from here on
  std::map<size_t, size_t> free_;  // where free ranges begin -> where they end
};

}  // namespace kvasir
