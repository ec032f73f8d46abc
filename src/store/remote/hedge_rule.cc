#include "store/remote/hedge_rule.h"

#include <algorithm>
#include <bit>

namespace kvasir::store::remote {
namespace {

constexpr double kShare = 0.05;  // of all requests
// What was not used up is kept for a time when many are late at once.
constexpr double kSavedMax = 8;

}  // namespace

HedgeRule::Times& HedgeRule::times_of(Kind kind, int64_t size) {
  const auto bits = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(size)));
  return times_[static_cast<size_t>(kind)][std::min(bits / 2, kSizeClasses - 1)];
}

std::optional<HedgeRule::Duration> HedgeRule::begin(Kind kind, int64_t size) {
  const std::lock_guard lock(mutex_);
  may_hedge_ = std::min(may_hedge_ + kShare, kSavedMax);
  const Times& times = times_of(kind, size);
  if (times.count < kAnswersMin) return std::nullopt;
  const size_t count = std::min(times.count, kRemembered);
  auto sorted = times.of_last;
  // The next one is longer than this in five of a hundred cases, however few there are.
  const size_t place = ((count + 1) * 95 + 99) / 100 - 1;
  const auto p95 = sorted.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(sorted.begin(), p95, sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return *p95;
}

void HedgeRule::answered(Kind kind, int64_t size, Duration took) {
  const std::lock_guard lock(mutex_);
  Times& times = times_of(kind, size);
  times.of_last[times.count++ % kRemembered] = took;
}

bool HedgeRule::take() {
  const std::lock_guard lock(mutex_);
  if (may_hedge_ < 1) return false;
  may_hedge_ -= 1;
  ++hedged_;
  return true;
}

void HedgeRule::won() {
  const std::lock_guard lock(mutex_);
  ++won_;
}

int64_t HedgeRule::hedged_requests() const {
  const std::lock_guard lock(mutex_);
  return hedged_;
}

int64_t HedgeRule::won_hedges() const {
  const std::lock_guard lock(mutex_);
  return won_;
}

}  // namespace kvasir::store::remote
