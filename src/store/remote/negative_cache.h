// A NegativeCache remembers for a few seconds that an engine does not have what a chain goes on
// with, so that prompts that begin alike ask it once. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>

#include "store/key.h"
#include "store/remote/expiring_set.h"

namespace kvasir::store::remote {

class NegativeCache {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // first_missing: the block that a chain would go on with.
  void remember(const Key& first_missing, Time now);
  bool knows(const Key& first_missing, Time now);
  // The same, where that spares a question.
  bool has(const Key& first_missing, Time now);
  // These were written since.
  void forget(std::span<const Key> keys);

  int64_t hits() const { return hits_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;  // guards the ends
  ExpiringSet<Key, KeyHash> ends_{std::chrono::seconds(5), 4096};
  std::atomic<int64_t> hits_ = 0;
};

}  // namespace kvasir::store::remote
