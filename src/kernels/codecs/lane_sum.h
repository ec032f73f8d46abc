// lane_sum adds in an order that vectors of 16, 8 or 4 lanes can follow, so that what is coded by a
// sum has the same bits on every machine. A pure function.
#pragma once

#include <array>
#include <cstdint>

namespace kvasir::kernels {

// Part of the bytes of codecs: never another number.
inline constexpr int64_t kSumLanes = 16;

// The sum of term(i) for i in [0, size): lane l adds the terms l, l + 16, l + 32, ..., then lane l
// takes lane l + 8 for l below 8, lane l + 4 for l below 4, and so on.
template <class Term>
float lane_sum(int64_t size, Term term) {
  std::array<float, kSumLanes> lanes{};
  for (int64_t i = 0; i < size; ++i) lanes[i % kSumLanes] += term(i);
  for (int64_t half = kSumLanes / 2; half > 0; half /= 2) {
    for (int64_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

}  // namespace kvasir::kernels
