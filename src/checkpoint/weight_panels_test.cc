#include "checkpoint/weight_panels.h"

#include <gtest/gtest.h>

#include <random>

#include "kernels/panels.h"
#include "numeric/blocks/block_type.h"

namespace kvasir {
namespace {

using kernels::WeightFormat;
using kernels::WeightMatrix;

// Two matrices of blocks and one of floats, as a model would have them.
class WeightPanelsTest : public testing::Test {
 protected:
  WeightPanelsTest() {
    std::mt19937 random(1);
    for (std::byte& byte : codes_) byte = static_cast<std::byte>(random());
    const BlockType* type = block_type_of(Dtype::kQ4_0);
    first_ = {.format = WeightFormat::kBlocks,
              .rows = 40,
              .cols = 64,
              .data = codes_.data(),
              .blocks = type};
    second_ = first_;
    floats_ = {.rows = 2, .cols = 2, .data = codes_.data()};
  }

  // Adds all of them and packs what is to be packed.
  bool load(int64_t bytes_max, Arithmetic arithmetic) {
    WeightPanels panels(memory_, bytes_max);
    EXPECT_TRUE(panels.add({&first_, &floats_, &second_}, arithmetic).ok());
    EXPECT_TRUE(memory_.take().ok());
    panels.run(2);
    return panels.activation_bytes() != 0;
  }

  int64_t bytes_of_one() const { return kernels::panels_bytes(first_); }

  std::vector<std::byte> codes_ = std::vector<std::byte>(40 * 2 * 18);
  WeightMatrix first_;
  WeightMatrix second_;
  WeightMatrix floats_;
  LoadMemory memory_;
};

TEST_F(WeightPanelsTest, PutsIntegersInPanelsAndLeavesFloatsAlone) {
  EXPECT_TRUE(load(1 << 20, Arithmetic::kBest));
  EXPECT_TRUE(first_.is_integer());
  EXPECT_FALSE(floats_.is_integer());
  EXPECT_EQ(floats_.panels, nullptr);
  std::vector<uint8_t> panel(static_cast<size_t>(kernels::panel_bytes(first_)));
  for (int64_t row = 0; row < first_.rows; row += kernels::kPanelRows) {
    kernels::pack_panel(first_, row, panel.data());
    const uint8_t* packed = first_.panels + row / kernels::kPanelRows * std::ssize(panel);
    EXPECT_TRUE(std::equal(panel.begin(), panel.end(), packed)) << row;
  }
  EXPECT_EQ(memory_.taken_bytes(), 2 * bytes_of_one());
}

TEST_F(WeightPanelsTest, WithoutMemoryForAllTheyStayFloats) {
  EXPECT_FALSE(load(2 * bytes_of_one() - 1, Arithmetic::kBest));
  EXPECT_FALSE(first_.is_integer());
  EXPECT_EQ(memory_.taken_bytes(), 0);
}

TEST_F(WeightPanelsTest, AskedForIntegersAreNotAllInPanels) {
  EXPECT_TRUE(load(2 * bytes_of_one() - 1, Arithmetic::kInteger));
  EXPECT_NE(first_.panels, nullptr);
  EXPECT_TRUE(second_.is_integer());
  EXPECT_EQ(second_.panels, nullptr);
}

TEST_F(WeightPanelsTest, AskedForFloatsNothingChanges) {
  EXPECT_FALSE(load(1 << 20, Arithmetic::kFloat));
  EXPECT_FALSE(first_.is_integer());
}

}  // namespace
}  // namespace kvasir
