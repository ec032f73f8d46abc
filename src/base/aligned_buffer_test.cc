#include "base/aligned_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace kvasir {
namespace {

constexpr int64_t kLarge = static_cast<int64_t>(kLargeMemoryMin);

bool begins_at_multiple_of(const std::byte* data, size_t alignment) {
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

TEST(AlignedBuffer, HasZerosFromAnAlignedPlaceOnWhateverItsSize) {
  for (const int64_t size : {int64_t{1}, kLarge - 1, kLarge, kLarge + 1, 99 * kLarge + 4097}) {
    AlignedBuffer<std::byte> buffer(size);
    ASSERT_FALSE(buffer.failed()) << size;
    EXPECT_TRUE(begins_at_multiple_of(buffer.data(), 64)) << size;
    EXPECT_EQ(std::count(buffer.data(), buffer.data() + size, std::byte{0}), size);
    std::fill_n(buffer.data(), size, std::byte{1});
  }
}

TEST(AlignedBuffer, MovesBetweenSizes) {
  AlignedBuffer<std::byte> small(10);
  AlignedBuffer<std::byte> large(2 * kLarge);
  const std::byte* data = large.data();
  small = std::move(large);
  EXPECT_EQ(small.data(), data);
  EXPECT_EQ(small.size(), 2 * kLarge);
  small = AlignedBuffer<std::byte>(20);
  EXPECT_EQ(small.size(), 20);
}

TEST(AlignedBuffer, SaysThatThereIsNotEnoughMemory) {
  EXPECT_TRUE(AlignedBuffer<std::byte>(int64_t{1} << 60).failed());
}

}  // namespace
}  // namespace kvasir
