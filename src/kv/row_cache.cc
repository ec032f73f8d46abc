#include "kv/row_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace kvasir::kv {
namespace {

// At most half full, so that probes stay short.
int64_t table_size(int64_t row_count) {
  return static_cast<int64_t>(
             std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(1, row_count)))) *
         2;
}

}  // namespace

int64_t RowCache::rows_per_chunk(int64_t row_bytes) {
  return std::max<int64_t>(1, kChunkBytes / row_bytes);
}

RowCache::RowCache(int64_t row_bytes, std::shared_ptr<MemoryAccount> account, RowReader& reader)
    : row_bytes_(row_bytes),
      rows_per_chunk_(rows_per_chunk(row_bytes)),
      account_(std::move(account)),
      reader_(reader) {
  KVASIR_CHECK(row_bytes > 0, "rows have bytes");
}

int64_t RowCache::bytes_for(int64_t row_bytes, int64_t row_count) {
  const int64_t chunk_rows = rows_per_chunk(row_bytes);
  const int64_t rows = (row_count + chunk_rows - 1) / chunk_rows * chunk_rows;
  return rows * (row_bytes + static_cast<int64_t>(sizeof(Slot))) +
         table_size(rows) * static_cast<int64_t>(sizeof(uint32_t));
}

int64_t RowCache::allocated_bytes() const {
  return std::ssize(chunks_) * rows_per_chunk_ * row_bytes_ + slots_.bytes() + table_.bytes();
}

Status RowCache::resize(int64_t bytes) {
  KVASIR_CHECK(missing_.empty(), "no group is under way");
  KVASIR_CHECK(bytes >= 0, "memory to hold rows in");
  // Rows of groups before need not stay.
  group_ += 2;
  int64_t row_count = bytes / (row_bytes_ + static_cast<int64_t>(sizeof(Slot)));
  row_count -= row_count % rows_per_chunk_;
  while (row_count > 0 && bytes_for(row_bytes_, row_count) > bytes) row_count -= rows_per_chunk_;
  if (row_count == capacity_rows_) return ok_status();
  if (Status allocated = allocate(row_count); !allocated.ok()) {
    (void)allocate(0);
    return allocated;
  }
  return ok_status();
}

Status RowCache::allocate(int64_t row_count) {
  const auto kept = static_cast<uint32_t>(std::min(row_count, capacity_rows_));
  AccountedBuffer<Slot> slots(row_count, account_);
  AccountedBuffer<uint32_t> table(row_count == 0 ? 0 : table_size(row_count), account_);
  if (slots.failed() || table.failed()) return out_of_memory(slots.bytes() + table.bytes());
  for (uint32_t slot = 0; slot < kept; ++slot) slots.data()[slot] = slots_.data()[slot];
  chunks_.resize(std::min(chunks_.size(), static_cast<size_t>(row_count / rows_per_chunk_)));
  while (std::ssize(chunks_) < row_count / rows_per_chunk_) {
    AccountedBuffer<std::byte> chunk(rows_per_chunk_ * row_bytes_, account_, Fill::kNothing);
    if (chunk.failed()) return out_of_memory(chunk.bytes());
    chunks_.push_back(std::move(chunk));
  }
  slots_ = std::move(slots);
  table_ = std::move(table);
  capacity_rows_ = row_count;
  hand_ = 0;
  std::fill_n(table_.data(), table_.size(), kEmpty);
  for (uint32_t slot = 0; slot < kept; ++slot) {
    const Slot& entry = slots_.data()[slot];
    if (entry.group != 0) table_.data()[find(entry.part, entry.offset)] = slot;
  }
  return ok_status();
}

std::byte* RowCache::row_of(uint32_t slot) {
  return chunks_[static_cast<size_t>(slot / rows_per_chunk_)].data() +
         slot % rows_per_chunk_ * row_bytes_;
}

size_t RowCache::home_of(uint64_t part, uint32_t offset) const {
  const uint64_t mixed = (part * 0x9E3779B97F4A7C15u ^ offset) * 0xD6E8FEB86659FD93u;
  return static_cast<size_t>(mixed >> 32) & static_cast<size_t>(table_.size() - 1);
}

size_t RowCache::find(uint64_t part, uint32_t offset) const {
  const size_t mask = static_cast<size_t>(table_.size() - 1);
  size_t at = home_of(part, offset);
  while (table_.data()[at] != kEmpty) {
    const Slot& slot = slots_.data()[table_.data()[at]];
    if (slot.part == part && slot.offset == offset) break;
    at = (at + 1) & mask;
  }
  return at;
}

// Entries behind the gap move up where their probe would stop short of them.
void RowCache::erase(uint32_t slot) {
  Slot& entry = slots_.data()[slot];
  const size_t mask = static_cast<size_t>(table_.size() - 1);
  uint32_t* table = table_.data();
  size_t gap = find(entry.part, entry.offset);
  entry = {};
  table[gap] = kEmpty;
  for (size_t at = (gap + 1) & mask; table[at] != kEmpty; at = (at + 1) & mask) {
    const Slot& other = slots_.data()[table[at]];
    const size_t home = home_of(other.part, other.offset);
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    table[gap] = std::exchange(table[at], kEmpty);
    gap = at;
  }
}

uint32_t RowCache::take_slot() {
  while (true) {
    const uint32_t slot = hand_;
    hand_ = hand_ + 1 == capacity_rows_ ? 0 : hand_ + 1;
    Slot& entry = slots_.data()[slot];
    if (entry.group == 0) return slot;
    if (group_ - entry.group <= 1) continue;
    if (entry.uses > 0) {
      --entry.uses;
      continue;
    }
    erase(slot);
    return slot;
  }
}

void RowCache::begin_group() {
  KVASIR_CHECK(missing_.empty(), "the group before is finished");
  ++group_;
}

const std::byte* RowCache::ask(ColdPart& part, int64_t offset_bytes) {
  KVASIR_CHECK(capacity_rows_ > 0, "rows have a place");
  KVASIR_CHECK(offset_bytes >= 0 && offset_bytes < UINT32_MAX, "a place in a block");
  const auto offset = static_cast<uint32_t>(offset_bytes);
  ++stats_.asked_rows;
  uint32_t slot = table_.data()[find(part.id(), offset)];
  if (slot != kEmpty) {
    Slot& entry = slots_.data()[slot];
    if (entry.group != group_ && entry.uses < kUsesMax) ++entry.uses;
    entry.group = group_;
    return row_of(slot);
  }
  ++stats_.read_rows;
  KVASIR_CHECK(2 * std::ssize(missing_) < capacity_rows_, "a group fits into half of the cache");
  slot = take_slot();
  slots_.data()[slot] = {.part = part.id(), .offset = offset, .group = group_};
  // Looked for anew: taking a slot may have moved entries.
  table_.data()[find(part.id(), offset)] = slot;
  missing_.push_back({.part = &part, .offset_bytes = offset_bytes, .out = row_of(slot)});
  missing_slots_.push_back(slot);
  return missing_.back().out;
}

void RowCache::start() {
  if (!missing_.empty()) reader_.start(missing_);
}

Status RowCache::finish() {
  if (missing_.empty()) return ok_status();
  Status read = reader_.finish();
  if (!read.ok()) {
    for (const uint32_t slot : missing_slots_) erase(slot);
  }
  missing_.clear();
  missing_slots_.clear();
  return read;
}

}  // namespace kvasir::kv
