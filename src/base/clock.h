// The wall clock. What has to last longer than a process is dated by it; spans are measured with
// Stopwatch.
#pragma once

#include <chrono>
#include <cstdint>

namespace kvasir {

// Seconds since 1970.
inline int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace kvasir
