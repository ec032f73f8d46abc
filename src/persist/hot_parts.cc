#include "persist/hot_parts.h"

#include <cstring>

#include "base/check.h"
#include "persist/stored_rows.h"

namespace kvasir::persist {

HotParts::HotParts(std::shared_ptr<const kv::CacheLayout> layout,
                   std::shared_ptr<kv::MemoryAccount> account, int64_t block_count)
    : layout_(std::move(layout)), account_(std::move(account)), reserved_blocks_(block_count) {
  KVASIR_CHECK(layout_->cold_bytes > 0 && block_count > 0, "blocks with a hot part");
  account_->add(reserved_blocks_ * bytes_per_block());
}

HotParts::~HotParts() {
  const std::lock_guard lock(mutex_);
  release_rest();
}

int64_t HotParts::bytes_per_block() const {
  return layout_->hot_bytes + StoredPart::bytes_for(layout_->block_bytes());
}

void HotParts::release_rest() {
  account_->add(-reserved_blocks_ * bytes_per_block());
  reserved_blocks_ = 0;
}

bool HotParts::take(std::span<const std::byte> head, store::PieceSource rest,
                    std::shared_ptr<store::remote::LateBlocks> late) {
  KVASIR_CHECK(std::ssize(head) == layout_->hot_bytes, "the hot part");
  const std::lock_guard lock(mutex_);
  if (reserved_blocks_ == 0) return false;
  // What is reserved and what is there never count twice.
  account_->add(-bytes_per_block());
  --reserved_blocks_;
  kv::Block block(layout_->hot_bytes, account_, Fill::kNothing);
  if (block.failed()) return false;
  std::memcpy(block.data(), head.data(), head.size());
  const store::Key key = rest.id.key;
  block.cold_part = std::make_shared<StoredPart>(std::move(rest), *account_, std::move(late));
  blocks_.emplace_back(key, std::make_shared<const kv::Block>(std::move(block)));
  return true;
}

void HotParts::end() {
  const std::lock_guard lock(mutex_);
  release_rest();
}

HotParts::Arrived HotParts::arrived() {
  const std::lock_guard lock(mutex_);
  Arrived newest(blocks_.begin() + static_cast<std::ptrdiff_t>(told_count_), blocks_.end());
  told_count_ = blocks_.size();
  return newest;
}

void HotParts::drop() {
  const std::lock_guard lock(mutex_);
  release_rest();
  blocks_.clear();
  told_count_ = 0;
}

}  // namespace kvasir::persist
