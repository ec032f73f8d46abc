// A PieceSource says where the pieces of one payload are read and what check each must have. Plain
// values; threads may share one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "store/segment_log.h"

namespace kvasir::store {

// A LastPlace remembers where a record was seen last. Threads that share it may set it at the same
// time. Bytes read there are proven by their checks, so a place that is half old costs a look-up
// and no more.
class LastPlace {
 public:
  LastPlace() = default;
  explicit LastPlace(const Place& place) { set(place); }
  LastPlace(const LastPlace& other) { set(other.get()); }
  LastPlace& operator=(const LastPlace& other) {
    set(other.get());
    return *this;
  }

  Place get() const {
    return {segment_number_.load(std::memory_order_relaxed),
            offset_bytes_.load(std::memory_order_relaxed)};
  }
  void set(const Place& place) {
    segment_number_.store(place.segment_number, std::memory_order_relaxed);
    offset_bytes_.store(place.offset_bytes, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> segment_number_{0};
  std::atomic<int64_t> offset_bytes_{0};
};

// How many bytes on disk prove the first head_bytes of a payload: whole pieces of it.
int64_t proof_bytes(int64_t payload_bytes, int64_t head_bytes);

// Cleaning may move the record: then its id stays right, and its place is looked up anew.
struct PieceSource {
  RecordId id;
  LastPlace place;
  int64_t payload_bytes = 0;
  PieceChecks checks;

  int64_t piece_count() const { return std::ssize(checks.values); }
  // Returns where a piece begins in the segment of `record`.
  int64_t offset_bytes(const Place& record, int64_t piece) const;
  // Returns the bytes of a piece on disk, padding included: whole pages.
  int64_t stored_bytes(int64_t piece) const;
  // Whether the first head_bytes of the payload are these, by their pieces' checks.
  // bytes: [proof_bytes(payload_bytes, head_bytes)]
  bool is_right_head(std::span<const std::byte> bytes, int64_t head_bytes) const;
  // Whether these are the bytes of that piece, by its check. bytes: [stored_bytes(piece)] or more
  bool is_right(int64_t piece, std::span<const std::byte> bytes) const;
};

}  // namespace kvasir::store
