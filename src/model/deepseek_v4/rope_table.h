// A RopeTable holds cosines and sines of the rotary angles of a list of positions, with or without
// YaRN (deepseek_v4.md section 3, "Rope"). Angles are formed in float64: at a million tokens a
// float32 angle is off by 0.06.
#pragma once

#include <cstdint>
#include <vector>

#include "model/deepseek_v4/config.h"

namespace kvasir::model::deepseek_v4 {

// Returns by what angle each adjacent pair turns from one position to the next, f_i. [rope_dim / 2]
std::vector<double> rope_frequencies(const RopeConfig& rope, int64_t rope_dim);

class RopeTable {
 public:
  RopeTable(std::vector<double> frequencies, int64_t position_capacity);

  void clear() { size_ = 0; }
  // Adds the angles of one position and returns its index. REQUIRES: fewer than position_capacity
  // so far.
  int64_t add(int64_t position);

  const float* cos(int64_t index) const { return &cos_[static_cast<size_t>(index * pair_count())]; }
  const float* sin(int64_t index) const { return &sin_[static_cast<size_t>(index * pair_count())]; }
  // For the inverse rotation.
  const float* negated_sin(int64_t index) const {
    return &negated_sin_[static_cast<size_t>(index * pair_count())];
  }

 private:
  int64_t pair_count() const { return static_cast<int64_t>(frequencies_.size()); }

  std::vector<double> frequencies_;
  int64_t size_ = 0;
  std::vector<float> cos_;  // [position_capacity, pairs]
  std::vector<float> sin_;
  std::vector<float> negated_sin_;
};

}  // namespace kvasir::model::deepseek_v4
