#include "persist/residency.h"

#include <utility>

namespace kvasir::persist {

Residency::Residency(store::BlockStore& store, std::shared_ptr<const kv::CacheLayout> layout,
                     std::shared_ptr<kv::MemoryAccount> account, const ResidencyOptions& options)
    : layout_(std::move(layout)),
      account_(std::move(account)),
      options_(options),
      cold_(cold_footprint(*layout_, options.pass)),
      reader_(store, layout_->cold_row_bytes, layout_->block_bytes(), cold_.read_pieces_max),
      rows_(layout_->cold_row_bytes, account_, reader_) {}

Result<std::unique_ptr<Residency>> Residency::create(store::BlockStore& store,
                                                     std::shared_ptr<const kv::CacheLayout> layout,
                                                     std::shared_ptr<kv::MemoryAccount> account,
                                                     const ResidencyOptions& options) {
  std::unique_ptr<Residency> residency(
      new Residency(store, std::move(layout), std::move(account), options));
  KVASIR_RETURN_IF_ERROR(residency->reader_.check_memory());
  return residency;
}

int64_t Residency::append_bytes(const kv::Sequence& sequence, int64_t token_count) const {
  const int64_t blocks = layout_->block_count(sequence.length() + token_count) -
                         layout_->block_count(sequence.length());
  return blocks * layout_->block_bytes() + layout_->boundary_state_bytes();
}

int64_t Residency::uncounted_bytes(int64_t token_count) const {
  const int64_t blocks = layout_->block_count(token_count);
  return cold_.read_bytes + blocks * cold_.bytes_per_block;
}

int64_t Residency::used_bytes(int64_t token_count) const {
  return account_->allocated_bytes() - rows_.allocated_bytes() + uncounted_bytes(token_count);
}

int64_t Residency::bytes_min(int64_t token_count) const {
  return ram_bytes_min(*layout_, options_.pass, token_count);
}

Error Residency::no_room(const std::string& expected) const {
  return Error{.kind = ErrorKind::kNoRoom,
               .what = "the cache does not fit into the RAM it may take",
               .field = "ram_bytes",
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
  return fits_whole(used_bytes(token_count) + coming_bytes + cold_.pass_bytes);
}

bool Residency::takes_whole(const kv::Sequence& sequence, int64_t token_count) {
  return fits_whole(used_bytes(sequence.length() + token_count) +
                    append_bytes(sequence, token_count));
}

bool Residency::fits_whole(int64_t bytes) {
  is_tight_ = is_tight_ || bytes + cold_.rows_bytes_min > cache_share_of(options_.budget_bytes);
  return !is_tight_;
}

Status Residency::give_rest_to_rows(const kv::Sequence& sequence, int64_t token_count) {
  const int64_t length = sequence.length() + token_count;
  const int64_t rest_bytes = cache_share_of(options_.budget_bytes) - used_bytes(length) -
                             append_bytes(sequence, token_count);
  if (rest_bytes < cold_.rows_bytes_min) {
    KVASIR_RETURN_IF_ERROR(check(length));
    return no_room(std::to_string(cold_.rows_bytes_min - rest_bytes) +
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
