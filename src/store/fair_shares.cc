#include "store/fair_shares.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>
#include <optional>

namespace kvasir::store {
namespace {

// Returns the ends of all chains; none where everything is nobody's.
std::deque<RecordId> chain_ends(const SharedIndex& index) {
  std::deque<RecordId> ends;  // grows without being copied while the index waits
  bool has_tenants = false;
  index.for_each([&](const Index& records, const IndexEntry& entry) {
    const RecordInfo& info = entry.info;
    has_tenants = has_tenants || (info.is_first_block() && tenant_of_root(info.parent) != kNobody);
    if (info.id.kind == Kind::kState || records.child_count(info.id.key) == 0) {
      ends.push_back(info.id);
    }
  });
  if (!has_tenants) ends.clear();
  return ends;
}

}  // namespace

int64_t fair_share_bytes(std::vector<int64_t> used_bytes, int64_t total_bytes) {
  std::sort(used_bytes.begin(), used_bytes.end());
  for (size_t i = 0; i < used_bytes.size(); ++i) {
    const int64_t share = total_bytes / static_cast<int64_t>(used_bytes.size() - i);
    if (used_bytes[i] > share) return std::max<int64_t>(0, share);
    total_bytes -= used_bytes[i];
  }
  return std::numeric_limits<int64_t>::max();
}

FairShares::FairShares(const SharedIndex& index, int64_t bytes_to_go) {
  for (const RecordId& id : chain_ends(index)) count(index, id);
  std::vector<int64_t> used_bytes;
  for (const auto& [tenant, bytes] : used_bytes_) used_bytes.push_back(bytes);
  const int64_t total_bytes = std::accumulate(used_bytes.begin(), used_bytes.end(), int64_t{0});
  if (used_bytes.size() > 1) {
    share_bytes_ = fair_share_bytes(std::move(used_bytes), total_bytes - bytes_to_go);
  }
}

void FairShares::count(const SharedIndex& index, const RecordId& id) {
  const std::optional<IndexEntry> record = index.find(id);
  if (!record) return;
  int64_t bytes = id.kind == Kind::kState ? record->info.record_bytes() : 0;
  // Blocks that were counted with another chain end this one.
  std::vector<Key> chain;
  std::optional<Tenant> tenant;
  Key key = id.key;
  int64_t end = record->info.token_end();
  while (!(tenant = find_tenant(key))) {
    const std::optional<IndexEntry> block = index.find({Kind::kBlock, key});
    if (!block || block->info.token_end() != end) break;
    bytes += block->info.record_bytes();
    chain.push_back(key);
    key = block->info.parent;
    end = block->info.token_begin;
    if (block->info.is_first_block()) tenants_.emplace(key, tenant_of_root(key));
  }
  for (const Key& one : chain) tenants_.emplace(one, tenant.value_or(kNobody));
  used_bytes_[tenant.value_or(kNobody)] += bytes;
}

std::optional<Tenant> FairShares::find_tenant(const Key& key) const {
  const auto found = tenants_.find(key);
  if (found == tenants_.end()) return std::nullopt;
  return found->second;
}

bool FairShares::is_exceeded_at(const Key& key) const {
  if (used_bytes_.size() < 2) return true;
  const auto used = used_bytes_.find(find_tenant(key).value_or(kNobody));
  return used == used_bytes_.end() || used->second > share_bytes_;
}

void FairShares::subtract(const RecordInfo& info) {
  const auto used = used_bytes_.find(find_tenant(info.id.key).value_or(kNobody));
  if (used != used_bytes_.end()) used->second -= info.record_bytes();
}

}  // namespace kvasir::store
