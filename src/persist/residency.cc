#include "persist/residency.h"

#include <utility>

#include "base/check.h"
#include "persist/stored_rows.h"

namespace kvasir::persist {

Residency::Residency(store::BlockStore& store, std::shared_ptr<const kv::CacheLayout> layout,
                     std::shared_ptr<kv::MemoryAccount> account, const ResidencyOptions& options)
    : layout_(std::move(layout)),
      account_(std::move(account)),
      options_(options),
      cold_(cold_footprint(*layout_, options.pass)) {
  KVASIR_CHECK(options.budget_bytes >= 0, "a budget");
  if (layout_->cold_bytes == 0) return;
  reader_ = std::make_unique<StoredRows>(store, layout_->cold_row_bytes, layout_->block_bytes(),
                                         cold_.read_pieces_max);
  rows_.emplace(layout_->cold_row_bytes, account_, *reader_);
}

Residency::~Residency() = default;

Result<std::unique_ptr<Residency>> Residency::create(store::BlockStore& store,
                                                     std::shared_ptr<const kv::CacheLayout> layout,
                                                     std::shared_ptr<kv::MemoryAccount> account,
                                                     const ResidencyOptions& options) {
  std::unique_ptr<Residency> residency(
      new Residency(store, std::move(layout), std::move(account), options));
  if (residency->reader_) KVASIR_RETURN_IF_ERROR(residency->reader_->check_memory());
  return residency;
}

Ticket Residency::ticket_for(const kv::Sequence& sequence, int64_t token_count) const {
  KVASIR_CHECK(&sequence.layout() == layout_.get(), "a sequence of this cache");
  const int64_t length = sequence.length() + token_count;
  const int64_t bytes = layout_->blocks_bytes(layout_->block_count(length)) -
                        layout_->blocks_bytes(layout_->block_count(sequence.length()));
  return {.bytes = bytes + layout_->boundary_state_bytes(), .length = length};
}

Ticket Residency::ticket_for_whole(int64_t token_count) const {
  return {.bytes = layout_->fixed_bytes() +
                   layout_->blocks_bytes(layout_->block_count(token_count)) + cold_.pass_bytes,
          .length = token_count};
}

Ticket Residency::ticket_for_hot_parts(int64_t token_count, int64_t new_block_count) const {
  return {.bytes = layout_->fixed_bytes() + layout_->boundary_state_bytes() + layout_->whole_bytes +
                   new_block_count * (layout_->hot_bytes + cold_.bytes_per_block),
          .length = token_count};
}

int64_t Residency::used_bytes() const {
  const int64_t rows_bytes = rows_ ? rows_->allocated_bytes() : 0;
  return account_->allocated_bytes() - rows_bytes + cold_.read_bytes;
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

bool Residency::admit_whole(const Ticket& ticket) {
  const int64_t bytes = used_bytes() + ticket.bytes + cold_.rows_bytes_min;
  is_tight_ = is_tight_ || bytes > cache_share_of(options_.budget_bytes);
  return !is_tight_;
}

Status Residency::give_rest_to_rows(const Ticket& ticket) {
  const int64_t rest_bytes = cache_share_of(options_.budget_bytes) - used_bytes() - ticket.bytes;
  if (rest_bytes < cold_.rows_bytes_min) {
    KVASIR_RETURN_IF_ERROR(check(ticket.length));
    return no_room(std::to_string(cold_.rows_bytes_min - rest_bytes) +
                   " bytes more, or a store that takes what is too much");
  }
  if (!rows_) return ok_status();
  // Resizing moves all rows, so they grow only by a sixteenth or more.
  const int64_t present_bytes = rows_->allocated_bytes();
  if (rest_bytes >= present_bytes && rest_bytes - present_bytes < present_bytes / 16) {
    return ok_status();
  }
  return rows_->resize(rest_bytes);
}

}  // namespace kvasir::persist
