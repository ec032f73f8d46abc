// Leases keep beginnings of texts from being evicted for a time. All together hold at most so many
// bytes of the store; where more is asked for, those of the tenant that holds the most go, the one
// that ends first before the others. They end with the process: what they held stays in the store
// as long as anything else does.
//
// They refer to the store. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "store/hold.h"
#include "store/key.h"

namespace kvasir::persist {

// What a record takes of the store; no state: 0.
struct RecordSizes {
  int64_t block_bytes = 0;
  int64_t state_bytes = 0;
};

class Leases {
 public:
  Leases(store::BlockStore& store, const RecordSizes& sizes, int64_t bytes_max)
      : store_(&store), sizes_(sizes), bytes_max_(bytes_max) {}

  // root: whose it is. keys: of the blocks that the text begins with, not empty; the store need not
  // have them yet. False: it is more than all may hold.
  bool keep(const store::Key& root, std::span<const store::Key> keys, int64_t now_s,
            int64_t until_s);
  void end_expired(int64_t now_s);

  int64_t count() const { return static_cast<int64_t>(leases_.size()); }
  // Blocks of several leases count once, and the state at the end of each lease.
  int64_t bytes() const {
    return static_cast<int64_t>(blocks_.size()) * sizes_.block_bytes + count() * sizes_.state_bytes;
  }

 private:
  struct Lease {
    store::Hold hold;
    store::Key root{};
    int64_t until_s = 0;
    std::vector<store::Key> keys;
  };
  using Map = std::map<store::Key, Lease>;
  void end(Map::iterator lease);
  void end_one();
  int64_t new_bytes(std::span<const store::Key> keys) const;

  store::BlockStore* store_;
  RecordSizes sizes_;
  int64_t bytes_max_;
  Map leases_;                                                      // by the last key
  std::unordered_map<store::Key, int64_t, store::KeyHash> blocks_;  // how many leases have it
};

}  // namespace kvasir::persist
