// Leases keep beginnings of texts from being evicted for a time. All together hold at most so many
// bytes of the store; where more is asked for, those that end first go. They end with the process:
// what they held stays in the store as long as anything else does.
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

class Leases {
 public:
  // block_bytes: of the store, that a block takes.
  Leases(store::BlockStore& store, int64_t block_bytes, int64_t bytes_max)
      : store_(&store), block_bytes_(block_bytes), bytes_max_(bytes_max) {}

  // keys: of the blocks that the text begins with, not empty; the store need not have them yet.
  // False: it is more than all may hold.
  bool keep(std::span<const store::Key> keys, int64_t now_s, int64_t until_s);
  void end_expired(int64_t now_s);

  int64_t count() const { return static_cast<int64_t>(leases_.size()); }
  // Blocks of several leases count once.
  int64_t bytes() const { return static_cast<int64_t>(blocks_.size()) * block_bytes_; }

 private:
  struct Lease {
    store::Hold hold;
    int64_t until_s = 0;
    std::vector<store::Key> keys;
  };
  using Map = std::map<store::Key, Lease>;
  void end(Map::iterator lease);
  int64_t new_bytes(std::span<const store::Key> keys) const;

  store::BlockStore* store_;
  int64_t block_bytes_;
  int64_t bytes_max_;
  Map leases_;                                                      // by the last key
  std::unordered_map<store::Key, int64_t, store::KeyHash> blocks_;  // how many leases have it
};

}  // namespace kvasir::persist
