#include "base/large_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace kvasir {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

struct Piece {
  std::byte* data;
  size_t bytes;

  explicit Piece(size_t size) : data(static_cast<std::byte*>(allocate_large(size))), bytes(size) {}
  void fill(std::byte value) const { std::fill_n(data, bytes, value); }
  bool holds(std::byte value) const {
    return std::count(data, data + bytes, value) == static_cast<int64_t>(bytes);
  }
  void free() const { free_large(data, bytes); }
};

// How many of the system's pages from `data` on are in memory.
int64_t resident_pages(const std::byte* data, size_t bytes) {
  std::vector<unsigned char> pages(bytes / kSmallPageBytes);
  if (::mincore(const_cast<std::byte*>(data), bytes, pages.data()) != 0) return 0;
  return std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
}

TEST(LargeMemory, PiecesAreZerosAndKeepApartWhateverIsFreedBetween) {
  std::mt19937 random(1);
  std::vector<std::pair<Piece, std::byte>> pieces;
  for (int round = 0; round < 300; ++round) {
    if (pieces.size() > 12 || (!pieces.empty() && random() % 3 == 0)) {
      std::swap(pieces[random() % pieces.size()], pieces.back());
      EXPECT_TRUE(pieces.back().first.holds(pieces.back().second));
      pieces.back().first.free();
      pieces.pop_back();
      continue;
    }
    const Piece piece(random() % 8 == 0 ? 9 * kMiB : kLargeMemoryMin + random() % (4 * kMiB));
    ASSERT_NE(piece.data, nullptr);
    EXPECT_TRUE(piece.holds(std::byte{0}));
    const auto value = static_cast<std::byte>(1 + random() % 255);
    piece.fill(value);
    pieces.emplace_back(piece, value);
  }
  for (const auto& [piece, value] : pieces) {
    EXPECT_TRUE(piece.holds(value));
    piece.free();
  }
}

TEST(LargeMemory, BeginsAtAMultipleOfItsAlignment) {
  for (const size_t bytes : {kLargeMemoryMin, kLargeMemoryMin + 1, 3 * kMiB + 5, 40 * kMiB}) {
    const Piece piece(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.data) % kLargeMemoryAlignment, 0u);
    piece.free();
  }
  const Piece alone(40 * kMiB + 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(alone.data) % kLargePageBytes, 0u);
  alone.free();
}

TEST(LargeMemory, WhatIsFreedGoesBackThoughNeighboursStay) {
  const Piece before(kMiB);
  const Piece middle(7 * kMiB);
  const Piece behind(kMiB);
  for (const Piece& piece : {before, middle, behind}) piece.fill(std::byte{1});
  const int64_t held = resident_pages(middle.data, middle.bytes);
  middle.free();
  // A page at each end is shared.
  EXPECT_LE(resident_pages(middle.data, middle.bytes),
            held - static_cast<int64_t>(3 * kMiB / kSmallPageBytes));
  EXPECT_TRUE(before.holds(std::byte{1}));
  EXPECT_TRUE(behind.holds(std::byte{1}));
  before.free();
  behind.free();
}

}  // namespace
}  // namespace kvasir
