// A Ring is a queue of reads that the kernel works off while its user computes.
//
// io_uring is one (uring_reader.cc); tests have one that refuses what they like. The memory of a
// read belongs to its caller. One thread uses a ring.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/batch_reader.h"

namespace kvasir::store {

class Ring {
 public:
  virtual ~Ring() = default;

  // Queues the rest of a read, from done_bytes on. `tag` comes back with its completion. False: the
  // queue is full.
  virtual bool add(const PageRead& read, size_t done_bytes, uint64_t tag) = 0;
  // Hands the queued reads to the kernel, oldest first. Returns how many were taken, or -errno.
  // From then on until it completes, a read may write to its memory.
  virtual int submit() = 0;

  struct Completion {
    uint64_t tag = 0;
    int result = 0;  // bytes, 0 at the end of the file, or -errno
  };
  // Waits until a read that was taken completes. Returns 0, or -errno: waiting is impossible now.
  virtual int wait(Completion& completion) = 0;
};

}  // namespace kvasir::store
