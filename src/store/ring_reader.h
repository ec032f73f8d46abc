// A RingReader is a BatchReader that reads by a Ring.
//
// Threads read what the ring does not take or cannot read, so a kernel that refuses costs time and
// nothing else. It owns the ring. One thread uses it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "store/batch_reader.h"
#include "store/ring.h"

namespace kvasir::store {

class RingReader : public BatchReader {
 public:
  // Null where the kernel has no ring to give.
  using OpenRing = std::function<std::unique_ptr<Ring>()>;

  // REQUIRES: `ring` is not null. After it has refused, each batch asks for another.
  RingReader(std::unique_ptr<Ring> ring, OpenRing open_ring)
      : ring_(std::move(ring)), open_ring_(std::move(open_ring)) {}

  void start(std::span<PageRead> reads) override;
  void finish() override;

 private:
  void submit();
  // Sets `index` to the next read for the ring. False: none is left.
  bool take_next(size_t& index);
  Ring::Completion wait();
  void complete(const Ring::Completion& completion);
  void give_up_ring();
  void read_rest();

  std::unique_ptr<Ring> ring_;  // null: it refused
  OpenRing open_ring_;
  std::unique_ptr<BatchReader> plain_;  // null: it was not needed yet

  std::span<PageRead> reads_;
  std::vector<size_t> done_bytes_;  // [reads]
  size_t next_ = 0;                 // the first read that was not yet given to the ring
  std::vector<size_t> again_;       // reads that came back short
  std::vector<size_t> queued_;      // reads in the ring that were not taken yet, oldest first
  size_t in_flight_count_ = 0;      // reads that were taken and have not completed
  std::vector<size_t> rest_;        // reads that plain_ is to do
};

}  // namespace kvasir::store
