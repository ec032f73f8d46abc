// A Bpe encodes one piece of text by byte pair encoding. It starts from one token per character
// that is one, and from one per byte elsewhere. While two neighbours can be merged, it merges the
// pair of lowest rank, and of equals the leftmost.
//
// This takes n log n steps for a piece of n bytes. A Bpe is immutable once built. Any number of
// threads may use it, each with a BpeScratch of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kvasir::text {

struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
  bool ties_with_last = false;  // has the rank of the merge before it in the list
};

// Working memory that is kept from piece to piece, to save allocations.
struct BpeScratch {
  struct Symbol {
    int32_t id = 0;
    uint32_t previous = 0;
    uint32_t next = 0;
    uint32_t rank = 0;   // of the pair that starts here; kNoRank: not to be merged
    int32_t merged = 0;  // what that pair becomes
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> heap;
};

class Bpe {
 public:
  // Pieces must be shorter than this.
  static constexpr uint64_t kPieceBytesMax = uint64_t{1} << 32;
  // Of bytes that have no token, and are left out.
  static constexpr int32_t kNoToken = -1;

  Bpe() = default;
  // Merges best first; ids are not negative, and no pair may occur twice. `character_ids`: by code
  // point.
  Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges,
      std::unordered_map<uint32_t, int32_t> character_ids = {});

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
  void add_byte(char byte, BpeScratch& scratch) const;
  void start(std::string_view piece, BpeScratch& scratch) const;
  void start_from_characters(std::string_view piece, BpeScratch& scratch) const;
  void rank_pair(BpeScratch& scratch, uint32_t position) const;
  void merge_at(BpeScratch& scratch, uint32_t position) const;

  std::array<int32_t, 256> byte_ids_{};
  std::unordered_map<uint32_t, int32_t> character_ids_;
  std::vector<Slot> slots_;  // open addressing; the size is a power of two
  int slot_shift_ = 0;
};

}  // namespace kvasir::text
