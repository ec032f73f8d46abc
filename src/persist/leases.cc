#include "persist/leases.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir::persist {
namespace {

constexpr int64_t kLeasesMax = 4096;

}  // namespace

bool Leases::keep(const store::Key& root, std::span<const store::Key> keys, int64_t now_s,
                  int64_t until_s) {
  KVASIR_CHECK(!keys.empty(), "blocks to keep");
  end_expired(now_s);
  if (const auto known = leases_.find(keys.back()); known != leases_.end()) {
    known->second.until_s = std::max(known->second.until_s, until_s);
    return true;
  }
  const int64_t own_bytes = std::ssize(keys) * sizes_.block_bytes + sizes_.state_bytes;
  if (own_bytes > bytes_max_) return false;
  while (bytes() + new_bytes(keys) > bytes_max_ || count() >= kLeasesMax) end_one();
  for (const store::Key& key : keys) ++blocks_[key];
  leases_.emplace(keys.back(), Lease{.hold = store::Hold(*store_, keys.back()),
                                     .root = root,
                                     .until_s = until_s,
                                     .keys = {keys.begin(), keys.end()}});
  return true;
}

void Leases::end_expired(int64_t now_s) {
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    const auto next = std::next(lease);
    if (lease->second.until_s <= now_s) end(lease);
    lease = next;
  }
}

void Leases::end(Map::iterator lease) {
  for (const store::Key& key : lease->second.keys) {
    const auto block = blocks_.find(key);
    if (--block->second == 0) blocks_.erase(block);
  }
  leases_.erase(lease);
}

void Leases::end_one() {
  std::unordered_map<store::Key, size_t, store::KeyHash> held;
  for (const auto& [key, lease] : leases_) held[lease.root] += lease.keys.size();
  const auto most = std::ranges::max_element(held, {}, [](const auto& one) { return one.second; });
  end(std::ranges::min_element(leases_, {}, [&](const auto& one) {
    return std::pair(one.second.root != most->first, one.second.until_s);
  }));
}

int64_t Leases::new_bytes(std::span<const store::Key> keys) const {
  const auto blocks =
      std::ranges::count_if(keys, [&](const auto& key) { return !blocks_.contains(key); });
  return blocks * sizes_.block_bytes + sizes_.state_bytes;
}

}  // namespace kvasir::persist
