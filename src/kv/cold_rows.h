// Rows that are not in memory, as kv/ sees them: parts that have them, and reads of many at a time.
// What a part is made of, and how it is read, is for others to know (persist/).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kvasir/result.h"

namespace kvasir::kv {

// The cold part of one block, somewhere else. Shared by all sequences that hold the block.
class ColdPart {
 public:
  ColdPart() : id_(next_id_.fetch_add(1, std::memory_order_relaxed)) {}
  virtual ~ColdPart() = default;
  ColdPart(const ColdPart&) = delete;
  ColdPart& operator=(const ColdPart&) = delete;

  // Of no other part of this process, before or after.
  uint64_t id() const { return id_; }

 private:
  static inline std::atomic<uint64_t> next_id_{0};
  const uint64_t id_;
};

struct RowRead {
  ColdPart* part = nullptr;
  int64_t offset_bytes = 0;  // into the block
  std::byte* out = nullptr;  // [row bytes]
};

// One batch at a time, from one thread.
class RowReader {
 public:
  virtual ~RowReader() = default;
  // REQUIRES: no row twice; parts and memory stay until finish() returns.
  virtual void start(std::span<const RowRead> reads) = 0;
  // Error: a row could not be read, or was not what it should be. Then none of the batch counts.
  virtual Status finish() = 0;
};

}  // namespace kvasir::kv
