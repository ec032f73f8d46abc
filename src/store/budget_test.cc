#include "store/budget.h"

#include <gtest/gtest.h>

namespace kvasir::store {
namespace {

constexpr int64_t kKiB = int64_t{1} << 10;
constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kGiB = int64_t{1} << 30;

TEST(Budget, ASegmentIsASixteenthOfIt) {
  EXPECT_EQ(segment_bytes_within(16 * kGiB, 256 * kMiB), 256 * kMiB);
  EXPECT_EQ(segment_bytes_within(1 * kGiB, 256 * kMiB), 64 * kMiB);
  EXPECT_EQ(segment_bytes_within(1 * kMiB, 256 * kMiB), 256 * kKiB);
  EXPECT_EQ(segment_bytes_within(16 * kGiB, kMiB), kMiB);
}

}  // namespace
}  // namespace kvasir::store
