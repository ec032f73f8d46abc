#include "persist/leases.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::persist {

bool Leases::keep(std::span<const store::Key> keys, int64_t now_s, int64_t until_s) {
  KVASIR_CHECK(!keys.empty(), "blocks to keep");
  end_expired(now_s);
  if (const auto known = leases_.find(keys.back()); known != leases_.end()) {
    known->second.until_s = std::max(known->second.until_s, until_s);
    return true;
  }
  if (std::ssize(keys) * block_bytes_ > bytes_max_) return false;
  while (bytes() + new_bytes(keys) > bytes_max_) {
    end(std::ranges::min_element(leases_, {}, [](const auto& one) { return one.second.until_s; }));
  }
  for (const store::Key& key : keys) ++blocks_[key];
  leases_.emplace(keys.back(), Lease{.hold = store::Hold(*store_, keys.back()),
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

int64_t Leases::new_bytes(std::span<const store::Key> keys) const {
  return std::ranges::count_if(keys, [&](const auto& key) { return !blocks_.contains(key); }) *
         block_bytes_;
}

}  // namespace kvasir::persist
