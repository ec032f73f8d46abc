#include "persist/residency.h"

#include <algorithm>
#include <utility>

namespace kvasir::persist {
namespace {

// The newest boundary's, the one before, and one on its way to the store.
constexpr int64_t kStates = 3;
// Of a budget, left to what goes with a cache and nobody counts (token ids, the store's index,
// lists, stacks, the program), so that a process of a large model's cache stays within it but for
// weights and the buffers of a pass.
constexpr int64_t kProcessBytesMax = int64_t{32} << 20;
constexpr int64_t kProcessShare = 16;
constexpr int64_t kPiecesMin = 64;
constexpr int64_t kPiecesMax = 1024;

}  // namespace

Residency::Residency(store::BlockStore& store, std::shared_ptr<const kv::CacheLayout> layout,
                     std::shared_ptr<kv::MemoryAccount> account, const ResidencyOptions& options)
    : layout_(std::move(layout)),
      account_(std::move(account)),
      options_(options),
      // A row may lie in two pages.
      reader_(store, layout_->row.bytes(), layout_->block_bytes(),
              std::clamp(2 * options.picked_rows_max, kPiecesMin, kPiecesMax)),
      rows_(layout_->row.bytes(), account_, reader_) {}

Result<std::unique_ptr<Residency>> Residency::create(store::BlockStore& store,
                                                     std::shared_ptr<const kv::CacheLayout> layout,
                                                     std::shared_ptr<kv::MemoryAccount> account,
                                                     const ResidencyOptions& options) {
  std::unique_ptr<Residency> residency(
      new Residency(store, std::move(layout), std::move(account), options));
  KVASIR_RETURN_IF_ERROR(residency->reader_.check_memory());
  return residency;
}

// Two groups of a token's rows at the least, each in half of the cache.
int64_t Residency::rows_bytes_min() const {
  return rows_.bytes_for(2 * std::max<int64_t>(1, options_.picked_rows_max));
}

// What a pass may hold beside hot parts: the blocks it writes are whole until the store has them.
int64_t Residency::pass_bytes() const {
  const int64_t blocks = options_.pass_tokens_max / kv::kBlockTokens + 2;
  return blocks * layout_->block_bytes() + kStates * layout_->boundary_state_bytes();
}

int64_t Residency::append_bytes(const kv::Sequence& sequence, int64_t token_count) const {
  const int64_t blocks = layout_->block_count(sequence.length() + token_count) -
                         layout_->block_count(sequence.length());
  return blocks * layout_->block_bytes() + layout_->boundary_state_bytes();
}

int64_t Residency::uncounted_bytes(int64_t token_count) const {
  const int64_t blocks = layout_->block_count(token_count);
  return reader_.allocated_bytes() + blocks * StoredPart::bytes_for(layout_->block_bytes());
}

int64_t Residency::used_bytes(int64_t token_count) const {
  return account_->allocated_bytes() - rows_.allocated_bytes() + uncounted_bytes(token_count);
}

int64_t Residency::cache_budget_bytes() const {
  return options_.budget_bytes - std::min(kProcessBytesMax, options_.budget_bytes / kProcessShare);
}

int64_t Residency::bytes_min(int64_t token_count) const {
  const int64_t bytes = layout_->fixed_bytes() +
                        layout_->block_count(token_count) * layout_->hot_bytes +
                        uncounted_bytes(token_count) + pass_bytes() + rows_bytes_min();
  return std::min(bytes + kProcessBytesMax, bytes + bytes / (kProcessShare - 1) + 1);
}

Error Residency::no_room(const std::string& expected) const {
  return Error{.what = "the cache does not fit into the RAM it may take",
               .where = "--ram",
               .expected = expected,
               .found = std::to_string(options_.budget_bytes)};
}

Status Residency::check(int64_t token_count) const {
  const int64_t needed_bytes = bytes_min(token_count);
  if (needed_bytes <= options_.budget_bytes) return ok_status();
  return no_room("at least " + std::to_string(needed_bytes) + " bytes for " +
                 std::to_string(token_count) + " tokens");
}

bool Residency::takes_whole(int64_t token_count) {
  const int64_t coming_bytes =
      layout_->fixed_bytes() + layout_->block_count(token_count) * layout_->block_bytes();
  return fits_whole(used_bytes(token_count) + coming_bytes + pass_bytes());
}

bool Residency::takes_whole(const kv::Sequence& sequence, int64_t token_count) {
  return fits_whole(used_bytes(sequence.length() + token_count) +
                    append_bytes(sequence, token_count));
}

bool Residency::fits_whole(int64_t bytes) {
  is_tight_ = is_tight_ || bytes + rows_bytes_min() > cache_budget_bytes();
  return !is_tight_;
}

Status Residency::give_rest_to_rows(const kv::Sequence& sequence, int64_t token_count) {
  const int64_t length = sequence.length() + token_count;
  const int64_t rest_bytes =
      cache_budget_bytes() - used_bytes(length) - append_bytes(sequence, token_count);
  if (rest_bytes < rows_bytes_min()) {
    KVASIR_RETURN_IF_ERROR(check(length));
    return no_room(std::to_string(rows_bytes_min() - rest_bytes) +
                   " bytes more, or a store that takes what is too much");
  }
  // A little more room is not worth moving everything for.
  const int64_t present_bytes = rows_.allocated_bytes();
  if (rest_bytes >= present_bytes && rest_bytes - present_bytes < present_bytes / 16) {
    return ok_status();
  }
  return rows_.resize(rest_bytes);
}

}  // namespace kvasir::persist
