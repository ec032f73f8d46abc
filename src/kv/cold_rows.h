// A ColdPart stands for rows that are not in memory, and a RowReader reads many of them at a time.
// kv/ knows no more of them; persist/ says what a part is made of and how it is read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kvasir/result.h"

namespace kvasir::kv {

// A ColdPart is the cold part of one block, somewhere else. All sequences that hold the block share
// it.
class ColdPart {
 public:
  ColdPart() : id_(next_id_.fetch_add(1, std::memory_order_relaxed)) {}
  virtual ~ColdPart() = default;
  ColdPart(const ColdPart&) = delete;
  ColdPart& operator=(const ColdPart&) = delete;

  // Returns a number that no other part of this process has, before or after.
  uint64_t id() const { return id_; }

 private:
  static inline std::atomic<uint64_t> next_id_{0};
  const uint64_t id_;
};

// A RowRead is one row to be read, and the memory that takes it.
struct RowRead {
  ColdPart* part = nullptr;
  int64_t offset_bytes = 0;  // into the block
  std::byte* out = nullptr;  // [row bytes]
};

// A RowReader reads one batch of rows at a time. One thread.
class RowReader {
 public:
  virtual ~RowReader() = default;
  // Begins to read. REQUIRES: no row twice; parts and memory stay until finish() returns.
  virtual void start(std::span<const RowRead> reads) = 0;
  // Waits until all rows are there. Error: a row could not be read, or was not what it should be.
  // Then none of the batch counts.
  virtual Status finish() = 0;
};

}  // namespace kvasir::kv
