#include "kernels/weight_matrix.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvasir::kernels {
namespace {

TEST(WeightMatrix, SaysWhereTheCodesAndScalesOfItsRowsLie) {
  const std::vector<std::byte> data(300 * 256);
  const std::vector<std::byte> scales(3 * 2);
  const WeightMatrix whole{.format = WeightFormat::kFp8ScaleE8m0,
                           .rows = 300,
                           .cols = 256,
                           .data = data.data(),
                           .scales = scales.data(),
                           .scale_cols = 2};
  EXPECT_EQ(weight_codes(whole).size(), data.size());
  EXPECT_EQ(weight_scale_bytes(whole), 6);
  EXPECT_EQ(weight_scales(whole).data(), scales.data());

  const WeightMatrix slice = slice_rows(whole, 120, 100);  // in the first and the second tile
  EXPECT_EQ(weight_codes(slice).data(), data.data() + 120 * 256);
  EXPECT_EQ(weight_codes(slice).size(), 100U * 256);
  EXPECT_EQ(weight_scales(slice).data(), scales.data());
  EXPECT_EQ(weight_scales(slice).size(), 4U);
  EXPECT_EQ(weight_scales(slice_rows(whole, 128, 100)).data(), scales.data() + 2);
}

TEST(WeightMatrix, RowsInTurnWithOthersReachToTheLast) {
  const std::vector<std::byte> data(8 * 32 * 2);
  const WeightMatrix half{.format = WeightFormat::kBf16,
                          .rows = 4,
                          .cols = 32,
                          .data = data.data() + 64,
                          .row_step = 2};
  EXPECT_EQ(weight_codes(half).size(), 7U * 64);
  EXPECT_TRUE(weight_scales(half).empty());
}

}  // namespace
}  // namespace kvasir::kernels
