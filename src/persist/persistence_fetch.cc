// What a remote tier brings for sequences that are about to begin.
#include <algorithm>
#include <utility>

#include "persist/hot_parts.h"
#include "persist/persistence.h"
#include "persist/remote_chains.h"
#include "persist/stored_rows.h"

namespace kvasir::persist {
namespace {

StoredPart* stored_part_of(const kv::Block& block) {
  return static_cast<StoredPart*>(block.cold_part.get());
}

}  // namespace

std::shared_ptr<store::remote::Fetch> Persistence::begin_fetch(const store::Key& root,
                                                               std::span<const int32_t> tokens,
                                                               int64_t length_max) {
  if (!remote_) return nullptr;
  tokens = tokens.first(static_cast<size_t>(std::min(length_max, std::ssize(tokens))));
  const std::vector<store::Key> keys = block_keys(root, tokens);
  const int64_t have_blocks = resumable_blocks(keys);
  return remote_->fetch({root, keys, tokens}, have_blocks, hot_parts_for(keys, have_blocks),
                        layout_->hot_bytes);
}

std::shared_ptr<HotParts> Persistence::hot_parts_for(std::span<const store::Key> keys,
                                                     int64_t have_blocks) {
  const int64_t block_count = std::ssize(keys) - have_blocks;
  if (!residency_ || layout_->cold_bytes == 0 || block_count == 0) return nullptr;
  const int64_t token_count = std::ssize(keys) * kv::kBlockTokens;
  if (residency_->admit_whole(residency_->ticket_for_whole(token_count))) return nullptr;
  // Where there is no room for them now, there may be when the session begins.
  const Ticket ticket = residency_->ticket_for_hot_parts(token_count, block_count);
  if (!residency_->give_rest_to_rows(ticket).ok()) return nullptr;
  auto parts = std::make_shared<HotParts>(layout_, account_, block_count);
  std::erase_if(hot_parts_, [](const auto& one) { return one.expired(); });
  hot_parts_.push_back(parts);
  return parts;
}

void Persistence::remember_hot_parts() {
  for (const auto& one : hot_parts_) {
    const auto parts = one.lock();
    if (!parts) continue;
    for (const auto& [key, block] : parts->arrived()) {
      // A whole one that a sequence has computed meanwhile is better.
      const auto known = in_memory_.find(key);
      if (known == in_memory_.end() || known->second.expired()) remember(key, block);
    }
  }
}

void Persistence::drop_hot_parts() {
  for (const auto& one : hot_parts_) {
    if (const auto parts = one.lock()) parts->drop();
  }
}

bool Persistence::is_late(const kv::Block& block) {
  return stored_part_of(block)->late() != nullptr;
}

int64_t Persistence::count_first_uses(std::span<const kv::SealedBlock> blocks) {
  return std::ranges::count_if(blocks, [](const kv::SealedBlock& block) {
    return block->cold_part && stored_part_of(*block)->is_first_use();
  });
}

}  // namespace kvasir::persist
