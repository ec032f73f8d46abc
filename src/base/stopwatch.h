// A Stopwatch measures the time since it was made, by the steady clock. A plain value.
#pragma once

#include <chrono>
#include <cstdint>

namespace kvasir {

class Stopwatch {
 public:
  double elapsed_ms() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_)
        .count();
  }
  int64_t elapsed_us() const { return static_cast<int64_t>(elapsed_ms() * 1000); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace kvasir
