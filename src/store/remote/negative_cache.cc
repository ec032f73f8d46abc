#include "store/remote/negative_cache.h"

namespace kvasir::store::remote {

void NegativeCache::remember(const Key& first_missing, Time now) {
  const std::lock_guard lock(mutex_);
  ends_.add(first_missing, now);
}

bool NegativeCache::knows(const Key& first_missing, Time now) {
  const std::lock_guard lock(mutex_);
  return ends_.has(first_missing, now);
}

bool NegativeCache::has(const Key& first_missing, Time now) {
  const bool is_known = knows(first_missing, now);
  hits_.fetch_add(is_known, std::memory_order_relaxed);
  return is_known;
}

void NegativeCache::forget(std::span<const Key> keys) {
  const std::lock_guard lock(mutex_);
  for (const Key& key : keys) ends_.erase(key);
}

}  // namespace kvasir::store::remote
