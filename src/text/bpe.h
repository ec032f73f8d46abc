// Bpe: byte pair encoding of one piece. Starts from one token per byte and merges, as long as any
// two neighbours can be, the pair of lowest rank, the leftmost of equals.
//
// n log n in the length of the piece. Immutable once built: any number of threads, each with its
// own BpeScratch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kvasir::text {

struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

// Working memory, kept from piece to piece to save allocations.
struct BpeScratch {
  struct Symbol {
    int32_t id;
    uint32_t previous;
    uint32_t next;
    uint32_t rank;   // of the pair that starts here; kNoRank: not to be merged
    int32_t merged;  // what that pair becomes
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> heap;
};

class Bpe {
 public:
  // Pieces must be shorter than this.
  static constexpr uint64_t kPieceBytesMax = uint64_t{1} << 32;

  Bpe() = default;
  // Merges best first; ids are not negative, and no pair may occur twice.
  Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges);

  // Appends the piece's ids.
  void encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const;

 private:
  static constexpr uint64_t kNoPair = UINT64_MAX;
  static constexpr uint32_t kNoRank = UINT32_MAX;

  struct Slot {
    uint64_t pair = kNoPair;
    uint32_t rank = kNoRank;
    int32_t result = 0;
  };

  // The slot that holds the pair, or the free one where it belongs.
  size_t slot_of(uint64_t pair) const;
  void start(std::string_view piece, BpeScratch& scratch) const;
  void rank_pair(BpeScratch& scratch, uint32_t position) const;
  void merge_at(BpeScratch& scratch, uint32_t position) const;

  std::array<int32_t, 256> byte_ids_{};
  std::vector<Slot> slots_;  // open addressing; the size is a power of two
  int slot_shift_ = 0;
};

}  // namespace kvasir::text
