// unix_seconds reads the wall clock. Times that have to outlast the process are taken from it;
// spans of time are measured with Stopwatch.
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
