#include "checkpoint/weight_panels.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "panel_checkpoint.h"

namespace kvasir {
namespace {

class WeightPanelsTest : public ::testing::Test {
 protected:
  // Adds all matrices and makes the panels that are to be made.
  bool load(int64_t bytes_max, Arithmetic arithmetic, const std::string& folder = "") {
    const LoadOptions options{.arithmetic = arithmetic, .panels_folder = folder, .thread_count = 2};
    WeightPanels panels(checkpoint_.tensors(), bytes_max);
    EXPECT_TRUE(panels.add(checkpoint_.all(), options).ok());
    EXPECT_TRUE(memory().take().ok());
    auto loaded = panels.run(options);
    EXPECT_TRUE(loaded.ok());
    loaded_ = std::move(loaded).value();
    return panels.activation_bytes() != 0;
  }

  LoadMemory& memory() { return checkpoint_.tensors().memory(); }
  int64_t all_bytes() {
    return kernels::panels_bytes(checkpoint_.first()) + kernels::panels_bytes(checkpoint_.second());
  }

  testing::PanelCheckpoint checkpoint_;
  LoadedPanels loaded_;
};

TEST_F(WeightPanelsTest, PutsIntegersInPanelsAndLeavesFloatsAlone) {
  EXPECT_TRUE(load(1 << 20, Arithmetic::kBest));
  EXPECT_FALSE(checkpoint_.floats().is_integer());
  EXPECT_EQ(checkpoint_.floats().panels, nullptr);
  for (const kernels::WeightMatrix& matrix : checkpoint_.integers()) {
    EXPECT_TRUE(matrix.is_integer());
    testing::expect_panels_of(matrix, matrix.panels);
  }
  EXPECT_EQ(memory().taken_bytes(), all_bytes());
  EXPECT_EQ(loaded_.mapped_bytes(), 0);
}

TEST_F(WeightPanelsTest, WithoutMemoryForAllTheyStayFloats) {
  for (const std::string& folder : {std::string(), checkpoint_.folder()}) {
    EXPECT_FALSE(load(all_bytes() - 1, Arithmetic::kBest, folder));
    EXPECT_FALSE(checkpoint_.first().is_integer());
    EXPECT_EQ(memory().taken_bytes(), 0);
  }
}

TEST_F(WeightPanelsTest, AskedForIntegersAreNotAllInPanels) {
  EXPECT_TRUE(load(all_bytes() - 1, Arithmetic::kInteger));
  EXPECT_NE(checkpoint_.first().panels, nullptr);
  EXPECT_TRUE(checkpoint_.second().is_integer());
  EXPECT_EQ(checkpoint_.second().panels, nullptr);
}

TEST_F(WeightPanelsTest, AskedForFloatsNothingChanges) {
  EXPECT_FALSE(load(1 << 20, Arithmetic::kFloat, checkpoint_.folder()));
  EXPECT_FALSE(checkpoint_.first().is_integer());
  EXPECT_FALSE(std::filesystem::exists(checkpoint_.folder()));
}

// Memory is no bound of what is mapped.
TEST_F(WeightPanelsTest, KeptInAFileTheyAreMappedAllOfThem) {
  EXPECT_TRUE(load(0, Arithmetic::kInteger8, checkpoint_.folder()));
  EXPECT_EQ(loaded_.mapped_bytes(), all_bytes());
  EXPECT_FALSE(loaded_.note);
  EXPECT_EQ(memory().taken_bytes(), 0);
  for (const kernels::WeightMatrix& matrix : checkpoint_.integers()) {
    EXPECT_EQ(matrix.activation_bytes, 1);
    testing::expect_panels_of(matrix, matrix.panels);
  }
}

TEST_F(WeightPanelsTest, WhereNoFileCanBeTheyAreInMemoryAndItIsSaid) {
  EXPECT_TRUE(load(1 << 20, Arithmetic::kBest, "/dev/null/panels"));
  EXPECT_EQ(loaded_.mapped_bytes(), 0);
  ASSERT_TRUE(loaded_.note);
  EXPECT_TRUE(loaded_.note->what.starts_with("panels are kept in memory: "))
      << loaded_.note->message();
  EXPECT_EQ(memory().taken_bytes(), all_bytes());
  for (const kernels::WeightMatrix& matrix : checkpoint_.integers())
    testing::expect_panels_of(matrix, matrix.panels);
}

}  // namespace
}  // namespace kvasir
