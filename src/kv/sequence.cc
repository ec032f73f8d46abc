#include "kv/sequence.h"

#include <cstring>
#include <functional>

#include "base/check.h"

namespace kvasir::kv {
namespace {

bool overlap(std::span<const int32_t> a, std::span<const int32_t> b) {
  const std::less<const int32_t*> is_before;
  return is_before(a.data(), b.data() + b.size()) && is_before(b.data(), a.data() + a.size());
}

}  // namespace

Result<Sequence> Sequence::create(std::shared_ptr<const CacheLayout> layout,
                                  std::shared_ptr<MemoryAccount> account) {
  Sequence sequence;
  sequence.layout_ = std::move(layout);
  sequence.account_ = std::move(account);
  sequence.windows_ = AccountedBuffer<std::byte>(sequence.layout_->window_bytes, sequence.account_);
  sequence.ring_floats_ = AccountedBuffer<float>(sequence.layout_->ring_floats, sequence.account_);
  if (sequence.windows_.failed() || sequence.ring_floats_.failed()) {
    return out_of_memory(sequence.layout_->fixed_bytes());
  }
  sequence.place_rings();
  return sequence;
}

void Sequence::place_rings() {
  float* next = ring_floats_.data();
  const auto take = [&next](int64_t ring_tokens, int64_t columns) {
    PoolingRing ring{next, next + ring_tokens * columns, ring_tokens, columns};
    next += 2 * ring_tokens * columns;
    return ring;
  };
  for (const StreamLayout& stream : layout_->streams) {
    rings_.push_back(take(stream.ring_tokens, stream.columns));
    full_rows_.push_back(next);
    next += stream.full_floats();
  }
  KVASIR_CHECK(next == ring_floats_.data() + ring_floats_.size(), "the rings fill their memory");
}

Result<Sequence> Sequence::fork() const {
  KVASIR_CHECK(!is_appending(), "fork between appends only");
  KVASIR_ASSIGN_OR_RETURN(Sequence copy, create(layout_, account_));
  copy.length_ = length_;
  copy.tokens_ = tokens_;
  copy.sealed_ = sealed_;
  copy.hot_part_count_ = hot_part_count_;
  copy.block_data_.assign(block_data_.begin(),
                          block_data_.begin() + static_cast<int64_t>(sealed_.size()));
  for (const Block& block : unsealed_) {
    Block twin(block.size(), account_);
    if (twin.failed()) return out_of_memory(block.size());
    std::memcpy(twin.data(), block.data(), static_cast<size_t>(block.size()));
    copy.block_data_.push_back(twin.data());
    copy.unsealed_.push_back(std::move(twin));
  }
  if (windows_.size() != 0) {
    std::memcpy(copy.windows_.data(), windows_.data(), static_cast<size_t>(windows_.bytes()));
  }
  if (ring_floats_.size() != 0) {
    std::memcpy(copy.ring_floats_.data(), ring_floats_.data(),
                static_cast<size_t>(ring_floats_.bytes()));
  }
  return copy;
}

Result<Sequence> Sequence::resume(std::shared_ptr<const CacheLayout> layout,
                                  std::shared_ptr<MemoryAccount> account,
                                  std::span<const int32_t> tokens, std::vector<SealedBlock> blocks,
                                  std::span<const std::byte> boundary_state) {
  KVASIR_CHECK(std::ssize(tokens) % kBlockTokens == 0, "a boundary");
  KVASIR_CHECK(std::ssize(blocks) == layout->block_count(std::ssize(tokens)), "all blocks");
  KVASIR_ASSIGN_OR_RETURN(Sequence sequence, create(std::move(layout), std::move(account)));
  sequence.length_ = std::ssize(tokens);
  sequence.tokens_.assign(tokens.begin(), tokens.end());
  sequence.block_data_.reserve(blocks.size());
  for (const SealedBlock& block : blocks) {
    const bool is_hot_part = block->cold_part != nullptr;
    const int64_t whole_bytes = sequence.layout_->block_bytes_of(std::ssize(sequence.block_data_));
    KVASIR_CHECK(block->size() == (is_hot_part ? sequence.layout_->hot_bytes : whole_bytes),
                 "blocks of this layout");
    if (is_hot_part) ++sequence.hot_part_count_;
    sequence.block_data_.push_back(block->data());
  }
  sequence.sealed_ = std::move(blocks);
  sequence.read_boundary_state(boundary_state);
  return sequence;
}

namespace {

// Calls visit(float*, count) for every run of floats that outlives the boundary at `position`, in
// the order in which a state holds them: stream, token, values, gates.
void for_each_overlap(const CacheLayout& layout, std::span<const PoolingRing> rings,
                      int64_t position, const auto& visit) {
  for (size_t i = 0; i < layout.streams.size(); ++i) {
    const Stream& spec = layout.streams[i].spec;
    if (!spec.overlaps || position == 0) continue;
    for (int64_t t = position - spec.tokens_per_row; t < position; ++t) {
      visit(rings[i].values_of(t), rings[i].columns / 2);
      visit(rings[i].gates_of(t), rings[i].columns / 2);
    }
  }
}

}  // namespace

void Sequence::write_boundary_state(std::span<std::byte> out) const {
  KVASIR_CHECK(!is_appending(), "rows that are all written");
  KVASIR_CHECK(length_ > 0 && length_ % kBlockTokens == 0, "a boundary");
  KVASIR_CHECK(std::ssize(out) == layout_->boundary_state_bytes(), "room for a boundary state");
  std::byte* next = out.data();
  const auto put = [&next](const void* data, int64_t bytes) {
    if (bytes != 0) std::memcpy(next, data, static_cast<size_t>(bytes));
    next += bytes;
  };
  put(windows_.data(), windows_.bytes());
  for_each_overlap(*layout_, rings_, length_, [&](const float* run, int64_t count) {
    put(run, count * static_cast<int64_t>(sizeof(float)));
  });
  KVASIR_CHECK(next == out.data() + out.size(), "a state fills its bytes");
}

void Sequence::read_boundary_state(std::span<const std::byte> in) {
  KVASIR_CHECK(std::ssize(in) == layout_->boundary_state_bytes(), "a whole boundary state");
  const std::byte* next = in.data();
  const auto take = [&next](void* data, int64_t bytes) {
    if (bytes != 0) std::memcpy(data, next, static_cast<size_t>(bytes));
    next += bytes;
  };
  take(windows_.data(), windows_.bytes());
  for_each_overlap(*layout_, rings_, length_, [&](float* run, int64_t count) {
    take(run, count * static_cast<int64_t>(sizeof(float)));
  });
}

void Sequence::replace_by_hot_part(int64_t block, SealedBlock hot_part) {
  KVASIR_CHECK(hot_part->cold_part && hot_part->size() == layout_->hot_bytes, "a hot part");
  KVASIR_CHECK(block >= 0 && block < std::ssize(sealed_), "a sealed block");
  const auto index = static_cast<size_t>(block);
  KVASIR_CHECK(!sealed_[index]->cold_part, "a whole block");
  block_data_[index] = hot_part->data();
  sealed_[index] = std::move(hot_part);
  ++hot_part_count_;
}

Status Sequence::begin_append(std::span<const int32_t> tokens) {
  KVASIR_CHECK(!is_appending(), "one append at a time");
  KVASIR_CHECK(!overlap(tokens, tokens_), "tokens that stay where they are");
  const int64_t length_after = length_ + static_cast<int64_t>(tokens.size());
  while (std::ssize(block_data_) < layout_->block_count(length_after)) {
    const int64_t bytes = layout_->block_bytes_of(std::ssize(block_data_));
    Block block(bytes, account_);
    if (block.failed()) {
      cancel_append();
      return out_of_memory(bytes);
    }
    block_data_.push_back(block.data());
    unsealed_.push_back(std::move(block));
  }
  // Room for whole blocks at a time, so that decoding a token allocates nothing in between.
  const auto reserved =
      static_cast<size_t>((length_after + kBlockTokens - 1) / kBlockTokens * kBlockTokens);
  if (tokens_.capacity() < reserved) tokens_.reserve(reserved + reserved / 2);
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  return ok_status();
}

void Sequence::finish_append() {
  KVASIR_CHECK(std::ssize(block_data_) == std::ssize(sealed_) + std::ssize(unsealed_) &&
                   std::ssize(block_data_) == layout_->block_count(std::ssize(tokens_)),
               "a block for every token");
  length_ = static_cast<int64_t>(tokens_.size());
  if (layout_->block_bytes() == 0) return;
  const int64_t full = length_ / kBlockTokens - std::ssize(sealed_);
  for (int64_t i = 0; i < full; ++i) {
    sealed_.push_back(std::make_shared<const Block>(std::move(unsealed_[static_cast<size_t>(i)])));
  }
  unsealed_.erase(unsealed_.begin(), unsealed_.begin() + full);
}

void Sequence::cancel_append() {
  tokens_.resize(static_cast<size_t>(length_));
  const auto kept = static_cast<size_t>(layout_->block_count(length_));
  block_data_.resize(kept);
  unsealed_.resize(kept - sealed_.size());
}

}  // namespace kvasir::kv
