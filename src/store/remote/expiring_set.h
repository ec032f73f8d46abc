// An ExpiringSet knows keys for a while each, and not more than so many of them: where it is full,
// those whose time is over go, and if none is, all. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <unordered_map>

namespace kvasir::store::remote {

template <class Key, class Hash>
class ExpiringSet {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ExpiringSet(std::chrono::seconds kept, size_t keys_max) : kept_(kept), keys_max_(keys_max) {}

  void add(const Key& key, Time now) {
    if (until_.size() >= keys_max_) {
      std::erase_if(until_, [&](const auto& one) { return one.second <= now; });
      if (until_.size() >= keys_max_) until_.clear();
    }
    until_[key] = now + kept_;
  }
  bool has(const Key& key, Time now) const {
    const auto found = until_.find(key);
    return found != until_.end() && now < found->second;
  }
  // When it was added last. None: it is not there.
  std::optional<Time> added_at(const Key& key, Time now) const {
    if (!has(key, now)) return std::nullopt;
    return until_.at(key) - kept_;
  }
  void erase(const Key& key) { until_.erase(key); }

 private:
  std::chrono::seconds kept_;
  size_t keys_max_;
  std::unordered_map<Key, Time, Hash> until_;
};

}  // namespace kvasir::store::remote
