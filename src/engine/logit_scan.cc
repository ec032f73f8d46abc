#include "engine/logit_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <numbers>

namespace kvasir {
namespace {

constexpr size_t kLanes = 8;
static_assert(kLogitBlock % kLanes == 0);
using Lanes = std::array<float, kLanes>;

constexpr float kLowest = -std::numeric_limits<float>::infinity();

float larger(float a, float b) { return a > b ? a : b; }

// body(const float* lanes) for kLanes logits after the other, `behind` for those behind the last.
template <class Body>
void for_each_lanes(std::span<const float> logits, float behind, const Body& body) {
  const size_t whole = logits.size() / kLanes * kLanes;
  for (size_t begin = 0; begin < whole; begin += kLanes) body(logits.data() + begin);
  if (whole == logits.size()) return;
  Lanes last;
  last.fill(behind);
  std::copy(logits.begin() + static_cast<int64_t>(whole), logits.end(), last.begin());
  body(last.data());
}

// body(block) for the logits of each block.
template <class Body>
void for_each_block(std::span<const float> logits, const Body& body) {
  for (size_t begin = 0; begin < logits.size(); begin += kLogitBlock) {
    body(logits.subspan(begin, std::min(kLogitBlock, logits.size() - begin)));
  }
}

// x <- 2^x for x <= 0, wrong by less than 1e-6 of it; 2^-126 for what is below.
void raise_two(Lanes& x) {
  Lanes power;
  std::array<int32_t, kLanes> bits;
  for (size_t i = 0; i < kLanes; ++i) x[i] = larger(x[i], -126.0f);
  for (size_t i = 0; i < kLanes; ++i) bits[i] = static_cast<int32_t>(x[i]);
  for (size_t i = 0; i < kLanes; ++i) x[i] -= static_cast<float>(bits[i]);  // in (-1, 0]
  for (size_t i = 0; i < kLanes; ++i) bits[i] = (bits[i] + 127) << 23;
  power.fill(1.54035304e-4f);  // Taylor's terms of e^(x ln 2)
  for (const float term :
       {1.33335581e-3f, 9.61812911e-3f, 5.55041087e-2f, 2.40226507e-1f, 6.93147181e-1f, 1.0f}) {
    for (size_t i = 0; i < kLanes; ++i) power[i] = power[i] * x[i] + term;
  }
  const auto wholes = std::bit_cast<Lanes>(bits);
  for (size_t i = 0; i < kLanes; ++i) x[i] = power[i] * wholes[i];
}

}  // namespace

bool are_finite(std::span<const float> logits) {
  Lanes zeros{};  // of a number that is not finite: not a number
  for_each_lanes(logits, 0, [&](const float* x) {
    for (size_t i = 0; i < kLanes; ++i) zeros[i] += x[i] - x[i];
  });
  return std::ranges::all_of(zeros, [](float zero) { return zero == 0; });
}

void block_maxima(std::span<const float> logits, std::vector<float>& maxima) {
  maxima.clear();
  for_each_block(logits, [&](std::span<const float> block) {
    Lanes highest;
    highest.fill(kLowest);
    for_each_lanes(block, kLowest, [&](const float* x) {
      for (size_t i = 0; i < kLanes; ++i) highest[i] = larger(x[i], highest[i]);
    });
    float most = highest[0];
    for (const float one : highest) most = larger(one, most);
    maxima.push_back(most);
  });
}

size_t highest_place(std::span<const float> logits, std::span<const float> maxima) {
  const auto block = std::ranges::max_element(maxima);
  const auto begin = logits.begin() + (block - maxima.begin()) * int64_t{kLogitBlock};
  return static_cast<size_t>(std::find(begin, logits.end(), *block) - logits.begin());
}

double sum_of_weights(std::span<const float> logits, float highest, double temperature) {
  const auto scale = static_cast<float>(std::numbers::log2e / temperature);
  double sum = 0;
  for_each_block(logits, [&](std::span<const float> block) {
    Lanes sums{};
    for_each_lanes(block, kLowest, [&](const float* logit) {
      Lanes x;
      for (size_t i = 0; i < kLanes; ++i) x[i] = (logit[i] - highest) * scale;
      raise_two(x);
      for (size_t i = 0; i < kLanes; ++i) sums[i] += x[i];
    });
    for (const float one : sums) sum += one;
  });
  return sum;
}

}  // namespace kvasir
