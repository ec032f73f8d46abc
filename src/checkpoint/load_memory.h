// LoadMemory is where those numbers of a checkpoint go that are not used as they lie in its files.
//
// It first hands out places: addresses with no memory behind them. So views are made, and what a
// load takes is known, before anything is read. take() then puts memory behind all of them. It owns
// that memory, and can be moved. One thread fills it; afterwards any may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

class LoadMemory {
 public:
  // Returns a place for so many bytes, at a multiple of 64. It is not touched before take().
  // Error: the process has no addresses left.
  Result<std::byte*> place_for(int64_t bytes);
  // Error: there is not enough memory.
  Status take();

  int64_t placed_bytes() const { return placed_bytes_; }
  int64_t taken_bytes() const { return taken_bytes_; }  // of these, what has memory behind it

 private:
  struct Unmap {
    int64_t size_bytes = 0;
    void operator()(std::byte* start) const;
  };
  struct Region {
    std::unique_ptr<std::byte, Unmap> start;
    int64_t used_bytes = 0;  // with what alignment leaves free

    int64_t free_bytes() const { return start.get_deleter().size_bytes - used_bytes; }
  };

  Status add_region(int64_t bytes);

  std::vector<Region> regions_;
  int64_t placed_bytes_ = 0;
  int64_t taken_bytes_ = 0;
};

}  // namespace kvasir
