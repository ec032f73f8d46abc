// Rows that tests learn of, and facts to keep.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "base/random.h"
#include "calibration/calibration.h"
#include "numeric/f16.h"

namespace kvasir::calibration::testing {

// Numbers of a normal distribution.
class Normals {
 public:
  explicit Normals(uint64_t seed) : random_(seed) {}
  double next() {
    const double radius = std::sqrt(-2 * std::log(1 - random_.unit()));
    return radius * std::cos(2 * std::numbers::pi * random_.unit());
  }

 private:
  Random random_;
};

// [count] of them, the channels of each row of `channels` with middles and spreads of their own.
inline std::vector<float> normal_rows(int64_t row_count, int64_t channels, uint64_t seed = 1) {
  Normals normals(seed);
  std::vector<float> rows(static_cast<size_t>(row_count * channels));
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto channel = static_cast<double>(static_cast<int64_t>(i) % channels);
    rows[i] = static_cast<float>(channel - 2 + normals.next() * (1 + channel / 4));
  }
  return rows;
}

inline LayerRows layer_rows(const std::vector<float>& rows, int64_t vectors, int64_t width,
                            RowKind kind = RowKind::kKeys, int64_t layer = 0) {
  return {.layer = layer, .kind = kind, .vectors = vectors, .width = width, .rows = rows};
}

// Facts that say by their values where they lie: no two of a layer and kind are equal.
inline RowFacts numbered_facts(int64_t layer, RowKind kind, int64_t vectors, int64_t width) {
  RowFacts facts{.layer = layer,
                 .kind = kind,
                 .vectors = vectors,
                 .width = width,
                 .variation = 2.5,
                 .square = 7.25};
  for (int64_t i = 0; i < vectors * width; ++i) {
    const auto number = static_cast<float>(i);
    facts.means.push_back(number + .5f);
    facts.low.push_back(number - 10);
    facts.high.push_back(number * 3 + 10);
  }
  for (size_t c = 0; c < facts.codebooks.size(); ++c) {
    const size_t count = size_t{4} << c;
    for (size_t i = 0; i < count; ++i) {
      facts.codebooks[c].push_back(static_cast<float>(i) / static_cast<float>(count));
    }
  }
  for (int64_t i = 0; i < vectors * axis_count(width) * width; ++i) {
    facts.axes.push_back(f16_encode(static_cast<float>(i)));
  }
  return facts;
}

}  // namespace kvasir::calibration::testing
