#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"
#include "base/utf8.h"

namespace kvasir::text {
namespace {

constexpr uint32_t kNoPosition = UINT32_MAX;
constexpr size_t kSlotsPerMerge = 2;
constexpr uint64_t kHashFactor = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio

uint64_t pair_of(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Ordered as merges are to be done: by rank, then from the left.
uint64_t heap_entry(uint32_t rank, uint32_t position) { return uint64_t{rank} << 32 | position; }

uint64_t pop_first(std::vector<uint64_t>& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  const uint64_t entry = heap.back();
  heap.pop_back();
  return entry;
}

}  // namespace

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges,
         std::unordered_map<uint32_t, int32_t> character_ids)
    : byte_ids_(byte_ids), character_ids_(std::move(character_ids)) {
  const size_t slot_count = std::bit_ceil(std::max<size_t>(2, kSlotsPerMerge * merges.size()));
  slots_.resize(slot_count);
  slot_shift_ = 64 - std::countr_zero(slot_count);
  uint32_t rank = 0;
  for (size_t i = 0; i < merges.size(); ++i) {
    const BpeMerge& merge = merges[i];
    if (i > 0 && !merge.ties_with_last) ++rank;
    const uint64_t pair = pair_of(merge.left, merge.right);
    Slot& slot = slots_[slot_of(pair)];
    KVASIR_CHECK(slot.pair == kNoPair, "a pair occurs in two merges");
    slot = Slot{pair, rank, merge.result};
  }
}

size_t Bpe::slot_of(uint64_t pair) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = static_cast<size_t>((pair ^ pair >> 29) * kHashFactor >> slot_shift_);
  while (slots_[slot].pair != pair && slots_[slot].pair != kNoPair) slot = (slot + 1) & mask;
  return slot;
}

void Bpe::encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const {
  KVASIR_CHECK(piece.size() < kPieceBytesMax, "a piece is too long");
  if (piece.empty()) return;
  start(piece, scratch);
  if (scratch.symbols.empty()) return;
  while (!scratch.heap.empty()) {
    const uint64_t entry = pop_first(scratch.heap);
    const auto position = static_cast<uint32_t>(entry);
    // The pair may have changed since the entry was made; then a newer entry stands for it.
    if (scratch.symbols[position].rank == entry >> 32) merge_at(scratch, position);
  }
  for (uint32_t at = 0; at != kNoPosition; at = scratch.symbols[at].next) {
    ids.push_back(scratch.symbols[at].id);
  }
}

void Bpe::add_byte(char byte, BpeScratch& scratch) const {
  const int32_t id = byte_ids_[static_cast<uint8_t>(byte)];
  if (id != kNoToken) scratch.symbols.push_back({.id = id});
}

void Bpe::start(std::string_view piece, BpeScratch& scratch) const {
  scratch.heap.clear();
  scratch.symbols.clear();
  scratch.symbols.reserve(piece.size());
  if (character_ids_.empty()) {
    for (const char byte : piece) add_byte(byte, scratch);
  } else {
    start_from_characters(piece, scratch);
  }
  const auto count = static_cast<uint32_t>(scratch.symbols.size());
  for (uint32_t i = 0; i < count; ++i) {
    scratch.symbols[i].previous = i == 0 ? kNoPosition : i - 1;
    scratch.symbols[i].next = i + 1 == count ? kNoPosition : i + 1;
  }
  for (uint32_t i = 0; i < count; ++i) {
    rank_pair(scratch, i);
    if (const uint32_t rank = scratch.symbols[i].rank; rank != kNoRank) {
      scratch.heap.push_back(heap_entry(rank, i));
    }
  }
  std::make_heap(scratch.heap.begin(), scratch.heap.end(), std::greater<>());
}

void Bpe::start_from_characters(std::string_view piece, BpeScratch& scratch) const {
  for (size_t at = 0; at < piece.size();) {
    const Utf8Character character = read_character(piece, at);
    const auto known = character_ids_.find(character.code_point);
    if (known != character_ids_.end()) {
      scratch.symbols.push_back({.id = known->second});
    } else {
      for (const char byte : piece.substr(at, character.size_bytes)) add_byte(byte, scratch);
    }
    at += character.size_bytes;
  }
}

void Bpe::rank_pair(BpeScratch& scratch, uint32_t position) const {
  BpeScratch::Symbol& symbol = scratch.symbols[position];
  symbol.rank = kNoRank;
  if (symbol.next == kNoPosition) return;
  const Slot& slot = slots_[slot_of(pair_of(symbol.id, scratch.symbols[symbol.next].id))];
  symbol.rank = slot.rank;
  symbol.merged = slot.result;
}

// The left symbol becomes the merged one; the right one drops out of the list.
void Bpe::merge_at(BpeScratch& scratch, uint32_t position) const {
  BpeScratch::Symbol& left = scratch.symbols[position];
  BpeScratch::Symbol& right = scratch.symbols[left.next];
  left.id = left.merged;
  left.next = right.next;
  right.rank = kNoRank;
  if (left.next != kNoPosition) scratch.symbols[left.next].previous = position;
  for (const uint32_t start : {left.previous, position}) {
    if (start == kNoPosition) continue;
    rank_pair(scratch, start);
    const uint32_t rank = scratch.symbols[start].rank;
    if (rank == kNoRank) continue;
    scratch.heap.push_back(heap_entry(rank, start));
    std::push_heap(scratch.heap.begin(), scratch.heap.end(), std::greater<>());
  }
}

}  // namespace kvasir::text
