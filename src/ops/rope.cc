#include "ops/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "numeric/elementary.h"

namespace kvasir::ops {

std::vector<double> rope_frequencies(const RopeSettings& rope, int64_t rope_dim) {
  std::vector<double> frequencies(static_cast<size_t>(rope_dim / 2));
  const auto dim = static_cast<double>(rope_dim);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = numeric::pow(rope.theta, -2.0 * static_cast<double>(i) / dim);
  }
  if (!rope.has_yarn) return frequencies;

  const YarnSettings& yarn = rope.yarn;
  const auto correction_dim = [&](double beta) {
    return dim * numeric::log(yarn.original_context / (beta * 2.0 * std::numbers::pi)) /
           (2.0 * numeric::log(rope.theta));
  };
  const double begin = correction_dim(yarn.beta_fast);
  const double end = correction_dim(yarn.beta_slow);
  const double lo = std::clamp(yarn.truncates ? std::floor(begin) : begin, 0.0, dim - 1.0);
  double hi = std::clamp(yarn.truncates ? std::ceil(end) : end, 0.0, dim - 1.0);
  if (hi == lo) hi += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - lo) / (hi - lo), 0.0, 1.0);
    frequencies[i] = frequencies[i] / yarn.factor * ramp + frequencies[i] * (1.0 - ramp);
  }
  return frequencies;
}

RopeTable::RopeTable(std::vector<double> frequencies, int64_t position_capacity, double magnitude)
    : frequencies_(std::move(frequencies)), magnitude_(magnitude) {
  const size_t floats = frequencies_.size() * static_cast<size_t>(position_capacity);
  cos_.resize(floats);
  sin_.resize(floats);
  negated_sin_.resize(floats);
}

int64_t RopeTable::add(int64_t position) {
  const auto first = static_cast<size_t>(size_ * pair_count());
  KVASIR_CHECK(first + frequencies_.size() <= cos_.size(), "the table has room");
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    const auto [sine, cosine] = numeric::sin_cos(static_cast<double>(position) * frequencies_[i]);
    cos_[first + i] = static_cast<float>(magnitude_ * cosine);
    sin_[first + i] = static_cast<float>(magnitude_ * sine);
    negated_sin_[first + i] = -sin_[first + i];
  }
  return size_++;
}

}  // namespace kvasir::ops
