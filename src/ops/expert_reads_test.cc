#include "ops/expert_reads.h"

#include <gtest/gtest.h>

#include <vector>

namespace kvasir::ops {
namespace {

TEST(ExpertReads, OrdersTheExpertsThatHaveTokens) {
  constexpr int64_t kDim = 8;
  const std::vector<float> values(kDim * kDim);
  const kernels::WeightMatrix weight{
      .rows = kDim, .cols = kDim, .data = reinterpret_cast<const std::byte*>(values.data())};
  const std::vector<Mlp> experts(4, {.gate = weight, .up = weight, .down = weight});
  std::vector<int64_t> starts = {0, 2, 2, 3, 5};
  const ExpertGroups groups{.expert_count = 4, .picks_per_token = 1, .starts = starts};
  ExpertReads reads;
  EXPECT_FALSE(reads.is_started());
  reads.start(experts, groups);
  EXPECT_TRUE(reads.is_started());
  EXPECT_EQ(std::vector<int32_t>(reads.order().begin(), reads.order().end()),
            (std::vector<int32_t>{0, 2, 3}));
  for (int part = 0; part < 6; ++part) reads.begin_part();
  reads.finish();
  EXPECT_FALSE(reads.is_started());
}

}  // namespace
}  // namespace kvasir::ops
