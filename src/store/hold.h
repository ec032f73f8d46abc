// A Hold keeps a key, and all that its record continues, from being evicted for as long as it
// lives. A copy holds the key once more. The store must outlive it. Any thread may use it.
#pragma once

#include "store/key.h"

namespace kvasir::store {

class BlockStore;

class Hold {
 public:
  Hold(BlockStore& store, const Key& key);
  Hold(const Hold& other) : Hold(*other.store_, other.key_) {}
  Hold(Hold&& other) noexcept;
  Hold& operator=(Hold other) noexcept;
  ~Hold();

 private:
  BlockStore* store_;  // null: moved from
  Key key_;
};

}  // namespace kvasir::store
