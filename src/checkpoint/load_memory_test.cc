#include "checkpoint/load_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace kvasir {
namespace {

std::span<std::byte> place(LoadMemory& memory, int64_t bytes) {
  const auto start = memory.place_for(bytes);
  EXPECT_TRUE(start.ok());
  return {*start, static_cast<size_t>(bytes)};
}

TEST(LoadMemoryTest, PlacesAreApartAlignedAndZeroOnceTaken) {
  LoadMemory memory;
  std::vector<std::span<std::byte>> places;
  int64_t bytes = 0;
  for (const int64_t size : {1, 0, 64, 65, 100'000, 70 << 20, 3}) {
    places.push_back(place(memory, size));
    bytes += size;
  }
  EXPECT_EQ(memory.placed_bytes(), bytes);
  EXPECT_EQ(memory.taken_bytes(), 0);
  ASSERT_TRUE(memory.take().ok());
  EXPECT_EQ(memory.taken_bytes(), bytes);
  const LoadMemory moved = std::move(memory);
  for (const auto one : places) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(one.data()) % 64, 0U);
    if (one.empty()) continue;
    EXPECT_EQ(one.front(), std::byte{0});
    EXPECT_EQ(one.back(), std::byte{0});
    one.front() = one.back() = std::byte{1};
  }
}

// More than most machines have: what a load would take can be asked for before it is there.
TEST(LoadMemoryTest, PlacesTakeNoMemory) {
  LoadMemory memory;
  constexpr int64_t kLarge = int64_t{1} << 37;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(memory.place_for(kLarge).ok());
  EXPECT_EQ(memory.placed_bytes(), 4 * kLarge);
  const auto endless = memory.place_for(int64_t{1} << 60);
  ASSERT_FALSE(endless.ok());
  EXPECT_EQ(endless.error().kind, ErrorKind::kNoMemory);
  EXPECT_EQ(memory.placed_bytes(), 4 * kLarge);
}

}  // namespace
}  // namespace kvasir
