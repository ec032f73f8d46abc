#include "store/hold.h"

#include <utility>

#include "store/block_store.h"

namespace kvasir::store {

Hold::Hold(BlockStore& store, const Key& key) : store_(&store), key_(key) { store_->hold(key_); }

Hold::Hold(Hold&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)), key_(other.key_) {}

Hold& Hold::operator=(Hold other) noexcept {
  std::swap(store_, other.store_);
  std::swap(key_, other.key_);
  return *this;
}

Hold::~Hold() {
  if (store_ != nullptr) store_->release(key_);
}

}  // namespace kvasir::store
