// A Random draws the same numbers from one seed on every machine. A measurement that draws from a
// seed can so be repeated elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace kvasir {

// One step of splitmix64. Distinct inputs give distinct outputs that look unrelated.
inline uint64_t mix_bits(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The upper 53 bits as a number in [0, 1).
inline double unit_interval(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

// A sequence of draws. One thread at a time.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(mix_bits(seed)) {}

  uint64_t bits() { return mix_bits(state_ += 0x9e3779b97f4a7c15u); }
  double unit() { return unit_interval(bits()); }
  // In [0, count). REQUIRES: count > 0, below 2^53.
  int64_t below(int64_t count) { return static_cast<int64_t>(unit() * static_cast<double>(count)); }
  // An element of a vector or string. REQUIRES: not empty.
  template <class List>
  const auto& pick(const List& list) {
    return list[static_cast<size_t>(below(std::ssize(list)))];
  }

 private:
  uint64_t state_;
};

}  // namespace kvasir
