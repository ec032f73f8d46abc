// FairShares says which tenants have more of a full store than their fair share of what is to stay.
//
// All shares are alike, and what a tenant leaves of its share is lent to the others. Example: of
// 100 MB, 10 MB are to go. One tenant has 10 MB, one 30 MB, one 60 MB: the first two may keep all
// and the third 50 MB. If they have 10, 44 and 46 MB, the latter two may keep 40 MB each. With one
// tenant alone there is nothing to share.
//
// An Evictor owns it, and one thread uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "store/shared_index.h"
#include "store/tenant.h"

namespace kvasir::store {

// Returns the bytes that each tenant may keep at most, so that all together keep `total_bytes` of
// what they use.
int64_t fair_share_bytes(std::vector<int64_t> used_bytes, int64_t total_bytes);

class FairShares {
 public:
  // Counts what each tenant has, of which so many bytes are to go. A record whose chain has a gap
  // is nobody's.
  FairShares(const SharedIndex& index, int64_t bytes_to_go);

  // Whether the tenant of the records with that key has more than its share.
  bool is_exceeded_at(const Key& key) const;
  // Counts a record as gone.
  void subtract(const RecordInfo& info);

 private:
  std::optional<Tenant> find_tenant(const Key& key) const;
  // Counts a record and what it hangs on.
  void count(const SharedIndex& index, const RecordId& id);

  std::unordered_map<Key, Tenant, KeyHash> tenants_;  // by the keys of blocks and roots
  std::unordered_map<Tenant, int64_t> used_bytes_;
  int64_t share_bytes_ = 0;
};

}  // namespace kvasir::store
