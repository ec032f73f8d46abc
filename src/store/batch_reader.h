// A BatchReader keeps many reads in flight at once, for rows that decoding waits for. The caller
// starts a batch, computes meanwhile, and finishes it.
//
// A read that comes back short is continued; a read that failed has its errno set. One thread uses
// a reader, one batch at a time. Where io_uring is forbidden or stops working, a few threads do the
// same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "store/file_system.h"

namespace kvasir::store {

struct PageRead {
  File* file = nullptr;
  int64_t offset_bytes = 0;  // of whole pages, as is the length
  std::span<std::byte> out;  // page-aligned
  int error = 0;             // an errno once finished; ENODATA: the file ends before
};

class BatchReader {
 public:
  virtual ~BatchReader() = default;
  // REQUIRES: `reads` and what they point to stay where they are until finish() returns.
  virtual void start(std::span<PageRead> reads) = 0;
  virtual void finish() = 0;
};

// Null: this kernel, or a filter around this process, has no io_uring.
std::unique_ptr<BatchReader> uring_reader();
inline constexpr int kReaderThreads = 16;
// thread_count 0: everything is read inside finish(), by its caller. Fewer threads where not all
// can be started.
std::unique_ptr<BatchReader> thread_reader(int thread_count);

// Returns a uring_reader if this process may have one, else a thread_reader.
std::unique_ptr<BatchReader> best_reader();

}  // namespace kvasir::store
