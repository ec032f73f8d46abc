#include "store/remote/negative_cache.h"

namespace kvasir::store::remote {

void NegativeCache::remember(const Key& first_missing, Time now) {
  const std::lock_guard lock(mutex_);
  if (until_.size() >= kEntriesMax) {
    std::erase_if(until_, [&](const auto& one) { return one.second <= now; });
    if (until_.size() >= kEntriesMax) until_.clear();
  }
  until_[first_missing] = now + kKept;
}

bool NegativeCache::has(const Key& first_missing, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = until_.find(first_missing);
  const bool is_known = found != until_.end() && now < found->second;
  hits_.fetch_add(is_known, std::memory_order_relaxed);
  return is_known;
}

void NegativeCache::forget(std::span<const Key> keys) {
  const std::lock_guard lock(mutex_);
  for (const Key& key : keys) until_.erase(key);
}

}  // namespace kvasir::store::remote
