// Exact selection. A radix select finds the k-th best key in three counting passes. Where few of
// many are wanted, scores are looked at in groups: the k-th best of the groups' best ones is a
// bound that at least k scores reach, and hardly more than k do, so only these are selected from.
#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

#include "base/check.h"
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

// Histograms of so few cost more than their keys in half an order.
constexpr int64_t kFewMax = 1024;

Threshold threshold_of_few(const float* scores, int64_t count, int64_t k) {
  uint32_t keys[kFewMax];
  for (int64_t i = 0; i < count; ++i) keys[i] = ordered_key(scores[i]);
  std::nth_element(keys, keys + k - 1, keys + count, std::greater());
  const uint32_t key = keys[k - 1];
  return {key, k - std::count_if(keys, keys + k, [key](uint32_t other) { return other > key; })};
}

// REQUIRES: 0 < k <= count.
Threshold find_threshold(const float* scores, int64_t count, int64_t k) {
  if (count <= kFewMax) return threshold_of_few(scores, count, k);
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

// ---- few of many

constexpr int64_t kCandidatesMax = 8192;
constexpr int64_t kGroupSizeMin = 8;  // two vectors
constexpr int64_t kGroupsMax = 8192;
constexpr int64_t kFewPicksMax = kGroupsMax / 8;  // there are fewer than 8 k groups

// Neighbours of so many, the last of them with what is left, and the best of each group.
struct Groups {
  int64_t score_count;
  int64_t size;
  int64_t count;
  float best[kGroupsMax];

  int64_t begin(int64_t group) const { return group * size; }
  int64_t end(int64_t group) const { return group + 1 < count ? begin(group + 1) : score_count; }
};

// The scores at or above a bound and where they were, in their order.
struct Candidates {
  int64_t count = 0;
  float scores[kCandidatesMax];
  int32_t places[kCandidatesMax];
};

using Lanes = float __attribute__((vector_size(16)));

Lanes better_of(Lanes a, Lanes b) { return b > a ? b : a; }

Lanes lanes_at(const float* scores) {
  Lanes lanes;
  std::memcpy(&lanes, scores, sizeof(lanes));
  return lanes;
}

// REQUIRES: count >= kGroupSizeMin.
float best_of(const float* scores, int64_t count) {
  Lanes even = lanes_at(scores);
  Lanes odd = lanes_at(scores + 4);
  int64_t i = 8;
  for (; i + 8 <= count; i += 8) {
    even = better_of(even, lanes_at(scores + i));
    odd = better_of(odd, lanes_at(scores + i + 4));
  }
  const Lanes both = better_of(even, odd);
  float best = std::max(std::max(both[0], both[1]), std::max(both[2], both[3]));
  for (; i < count; ++i) best = std::max(best, scores[i]);
  return best;
}

// Of `count` scores. Four groups for each of the k, or more, so that two of these seldom share one.
void find_best_of_groups(const float* scores, int64_t count, int64_t k, Groups& groups) {
  groups.score_count = count;
  groups.size = std::max(count / (4 * k) / kGroupSizeMin, int64_t{1}) * kGroupSizeMin;
  groups.count = count / groups.size;
  KVASIR_CHECK(groups.count <= kGroupsMax, "room for all groups");
  for (int64_t i = 0; i < groups.count; ++i) {
    groups.best[i] = best_of(scores + groups.begin(i), groups.end(i) - groups.begin(i));
  }
}

// Takes those of [begin, end), which have room.
void collect_group(const float* scores, int64_t begin, int64_t end, float bound,
                   Candidates& candidates) {
  const auto take = [&](int64_t place) {
    // Written always and counted only if wanted: no branch to mispredict.
    candidates.scores[candidates.count] = scores[place];
    candidates.places[candidates.count] = static_cast<int32_t>(place);
    candidates.count += scores[place] >= bound ? 1 : 0;
  };
  int64_t i = begin;
  for (; i + kGroupSizeMin <= end; i += kGroupSizeMin) {
    int above_count = 0;
    for (int64_t j = 0; j < kGroupSizeMin; ++j) above_count += scores[i + j] >= bound ? 1 : 0;
    if (above_count == 0) continue;
    for (int64_t j = 0; j < kGroupSizeMin; ++j) take(i + j);
  }
  for (; i < end; ++i) take(i);
}

// False when there are more than fit.
bool collect(const float* scores, const Groups& groups, float bound, Candidates& candidates) {
  for (int64_t group = 0; group < groups.count; ++group) {
    if (!(groups.best[group] >= bound)) continue;
    const int64_t begin = groups.begin(group);
    const int64_t end = groups.end(group);
    if (candidates.count + (end - begin) > kCandidatesMax) return false;
    collect_group(scores, begin, end, bound, candidates);
  }
  return true;
}

bool are_few(int64_t count, int64_t k) {
  return count >= 2 * k * kGroupSizeMin && k <= kFewPicksMax;
}

// Selects from what the groups leave. False where these are too many, as when all are equal.
bool select_few(const float* scores, int64_t count, int64_t k, int32_t* places) {
  Groups groups;
  find_best_of_groups(scores, count, k, groups);
  const float bound = score_of_key(find_threshold(groups.best, groups.count, k).key);
  Candidates candidates;
  if (!collect(scores, groups, bound, candidates) || candidates.count < k) return false;
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
  if (are_few(count, wanted) && select_few(scores, count, wanted, picked)) return wanted;
  select(scores, count, wanted, picked);
  return wanted;
}

}  // namespace kvasir::kernels
