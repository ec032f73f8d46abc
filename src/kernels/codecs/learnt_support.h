// Side data for the tests of codecs that are learnt.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/low_rank.h"
#include "kernels/test_support.h"
#include "numeric/f16.h"

namespace kvasir::kernels {

inline void append_floats(const std::vector<float>& values, std::vector<std::byte>& out) {
  const size_t at = out.size();
  out.resize(at + values.size() * sizeof(float));
  std::memcpy(out.data() + at, values.data(), values.size() * sizeof(float));
}

inline int test_codebook_bits(const Codec& codec) {
  return std::string_view(codec.name).substr(3, 1).front() - '0';
}

// An uneven codebook that reaches from -1 to 1.
inline std::vector<float> test_codebook(int bits) {
  std::vector<float> entries;
  const int count = 1 << bits;
  for (int i = 0; i < count; ++i) {
    const float x = 2.0f * static_cast<float>(i) / static_cast<float>(count - 1) - 1;
    entries.push_back((x + x * x * x) / 2);
  }
  return entries;
}

// Orthonormal rows [rank][width].
inline std::vector<float> orthonormal(Random& random, int64_t rank, int64_t width) {
  std::vector<float> rows = random.normals(rank * width);
  for (int64_t k = 0; k < rank; ++k) {
    float* row = rows.data() + k * width;
    for (int64_t other = 0; other <= k; ++other) {
      const float* before = rows.data() + other * width;
      double product = 0;
      for (int64_t i = 0; i < width; ++i) product += double{row[i]} * before[i];
      const double length = std::sqrt(product);
      for (int64_t i = 0; i < width; ++i) {
        row[i] = other == k ? static_cast<float>(row[i] / length)
                            : static_cast<float>(row[i] - product * before[i]);
      }
    }
  }
  return rows;
}

// What the codec may have learnt of normal values; nothing for those that learn nothing.
inline std::vector<std::byte> side_data_of(const Codec& codec, int64_t width, Random& random) {
  std::vector<std::byte> side;
  if (codec.side_bytes == nullptr) return side;
  if (const int64_t rank = rank_of(codec.id, width); rank > 0) {
    for (const float value : orthonormal(random, rank, width)) {
      const uint16_t half = f16_encode(value);
      side.push_back(static_cast<std::byte>(half & 0xff));
      side.push_back(static_cast<std::byte>(half >> 8));
    }
    return side;
  }
  if (std::string_view(codec.name).ends_with("keys")) {
    append_floats(random.normals(width, .5f), side);
    std::vector<float> halves = random.normals(width, .3f);
    for (float& half : halves) half = 2.5f + std::fabs(half);
    append_floats(halves, side);
  }
  append_floats(test_codebook(test_codebook_bits(codec)), side);
  return side;
}

}  // namespace kvasir::kernels
