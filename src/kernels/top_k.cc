// Exact selection. A radix select finds the k-th best key in three counting passes; where few of
// many are wanted, a sample first guesses a bound below it, and only scores above the bound are
// selected from. The guess decides the work, never the result.
#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/kernels.h"

namespace kvasir::kernels {
namespace {

// Orders like the score itself, with -0 equal to +0.
uint32_t ordered_key(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);
  const auto negative = static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31);
  return bits ^ (negative | 0x80000000u);
}

float score_of_key(uint32_t key) {
  return std::bit_cast<float>((key & 0x80000000u) != 0 ? key ^ 0x80000000u : ~key);
}

struct Digit {
  int shift;
  int bits;
};
constexpr Digit kDigits[3] = {{21, 11}, {10, 11}, {0, 10}};
constexpr int kBucketCount = 1 << 11;
// Equal neighbours would wait for each other's increment; two interleaved histograms do not.
constexpr int kHistogramCount = 2;

struct Threshold {
  uint32_t key = 0;       // of the k-th best score
  int64_t tie_count = 0;  // how many of that key are picked
};

// Narrows the k-th best key by one digit: prefix holds the digits above, wanted how many are still
// to be found among the keys with that prefix.
void narrow(const float* scores, int64_t count, const Digit& digit, uint32_t* prefix,
            int64_t* wanted) {
  uint32_t histograms[kHistogramCount][kBucketCount];
  std::memset(histograms, 0, sizeof(histograms));
  const int prefix_shift = digit.shift + digit.bits;
  const uint32_t digit_mask = (1u << digit.bits) - 1;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t key = ordered_key(scores[i]);
    if (prefix_shift < 32 && key >> prefix_shift != *prefix) continue;
    ++histograms[i % kHistogramCount][(key >> digit.shift) & digit_mask];
  }
  uint32_t bucket = digit_mask;
  for (;; --bucket) {
    int64_t size = 0;
    for (const auto& histogram : histograms) size += histogram[bucket];
    if (size >= *wanted) break;
    *wanted -= size;
  }
  *prefix = (*prefix << digit.bits) | bucket;
}

// REQUIRES: 0 < k <= count.
Threshold find_threshold(const float* scores, int64_t count, int64_t k) {
  uint32_t prefix = 0;
  int64_t wanted = k;
  for (const Digit& digit : kDigits) narrow(scores, count, digit, &prefix, &wanted);
  return {prefix, wanted};
}

// The places in `scores` of the k best, ascending. REQUIRES: 0 < k <= count.
void select(const float* scores, int64_t count, int64_t k, int32_t* places) {
  Threshold threshold = find_threshold(scores, count, k);
  int64_t selected_count = 0;
  for (int64_t i = 0; selected_count < k; ++i) {
    const uint32_t key = ordered_key(scores[i]);
    if (key < threshold.key) continue;
    if (key == threshold.key && threshold.tie_count-- <= 0) continue;
    places[selected_count++] = static_cast<int32_t>(i);
  }
}

constexpr int64_t kCandidatesMax = 8192;
constexpr int64_t kSampleSize = 1024;

// The scores at or above a bound and where they were, in their order.
struct Candidates {
  int64_t count = 0;
  float scores[kCandidatesMax];
  int32_t places[kCandidatesMax];
};

// A score below which few of the k best should lie: well below the k-th best of a sample.
float guess_bound(const float* scores, int64_t count, int64_t k) {
  float sample[kSampleSize];
  for (int64_t i = 0; i < kSampleSize; ++i) sample[i] = scores[i * count / kSampleSize];
  const int64_t expected_rank = k * kSampleSize / count;
  return score_of_key(find_threshold(sample, kSampleSize, 2 * expected_rank + 8).key);
}

// False when there are more than fit.
bool collect(const float* scores, int64_t count, float bound, Candidates& candidates) {
  int64_t i = 0;
  const auto take = [&](int64_t place) {
    // Written always and counted only if wanted: no branch to mispredict.
    candidates.scores[candidates.count] = scores[place];
    candidates.places[candidates.count] = static_cast<int32_t>(place);
    candidates.count += scores[place] >= bound ? 1 : 0;
  };
  constexpr int64_t kStep = 16;
  for (; i + kStep <= count; i += kStep) {
    int above_count = 0;
    for (int64_t j = 0; j < kStep; ++j) above_count += scores[i + j] >= bound ? 1 : 0;
    if (above_count == 0) continue;
    if (candidates.count + kStep >= kCandidatesMax) return false;
    for (int64_t j = 0; j < kStep; ++j) take(i + j);
  }
  if (candidates.count + kStep >= kCandidatesMax) return false;
  for (; i < count; ++i) take(i);
  return true;
}

// Selects from the candidates alone, if the guess was good enough.
bool select_from_candidates(const float* scores, int64_t count, int64_t k, int32_t* places) {
  Candidates candidates;
  const float bound = guess_bound(scores, count, k);
  if (!collect(scores, count, bound, candidates) || candidates.count < k) return false;
  select(candidates.scores, candidates.count, k, places);
  for (int64_t i = 0; i < k; ++i) places[i] = candidates.places[places[i]];
  return true;
}

}  // namespace

int64_t top_k(const float* scores, int64_t count, int64_t k, int32_t* picked) {
  const int64_t wanted = std::min(k, count);
  if (wanted <= 0) return 0;
  if (wanted == count) {
    for (int64_t i = 0; i < count; ++i) picked[i] = static_cast<int32_t>(i);
    return count;
  }
  const bool are_few = count >= 2 * kCandidatesMax && wanted <= kCandidatesMax / 8;
  if (are_few && select_from_candidates(scores, count, wanted, picked)) return wanted;
  select(scores, count, wanted, picked);
  return wanted;
}

}  // namespace kvasir::kernels
