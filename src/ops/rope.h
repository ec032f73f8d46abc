// RopeSettings say by what angles a model turns pairs of values, with or without YaRN; a RopeTable
// holds cosines and sines of these angles for a list of positions, and owns them. Angles are formed
// in float64: at a million tokens a float32 angle is off by 0.06.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace kvasir::ops {

struct YarnSettings {
  double factor = 1;
  double beta_fast = 32;
  double beta_slow = 1;
  double original_context = 0;
  bool truncates = true;  // the ramp begins and ends at whole pairs
};

struct RopeSettings {
  double theta = 0;
  bool has_yarn = false;
  YarnSettings yarn;
};

// Returns by what angle each adjacent pair turns from one position to the next. [rope_dim / 2]
std::vector<double> rope_frequencies(const RopeSettings& rope, int64_t rope_dim);

class RopeTable {
 public:
  // magnitude: cosines and sines are multiplied by it.
  RopeTable(std::vector<double> frequencies, int64_t position_capacity, double magnitude = 1);

  void clear() { size_ = 0; }
  // Adds the angles of one position and returns its index. REQUIRES: fewer than position_capacity
  // so far.
  int64_t add(int64_t position);

  int64_t size() const { return size_; }
  // Returns how many values are turned: two per angle.
  int64_t dim() const { return 2 * pair_count(); }

  // [pairs] of one position.
  const float* cos(int64_t index) const { return &cos_[offset_of(index)]; }
  const float* sin(int64_t index) const { return &sin_[offset_of(index)]; }
  // These are for the inverse rotation.
  const float* negated_sin(int64_t index) const { return &negated_sin_[offset_of(index)]; }

 private:
  int64_t pair_count() const { return static_cast<int64_t>(frequencies_.size()); }
  size_t offset_of(int64_t index) const {
    KVASIR_DCHECK(index >= 0 && index < size_, "a position of the table");
    return static_cast<size_t>(index * pair_count());
  }

  std::vector<double> frequencies_;
  double magnitude_;
  int64_t size_ = 0;
  std::vector<float> cos_;  // [position_capacity, pairs]
  std::vector<float> sin_;
  std::vector<float> negated_sin_;
};

}  // namespace kvasir::ops
