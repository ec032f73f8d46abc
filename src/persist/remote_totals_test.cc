#include "persist/remote_totals.h"

#include <gtest/gtest.h>

namespace kvasir::persist {
namespace {

TEST(RemoteTotals, WhatIsNamedIsFoundAgainByEngine) {
  RemoteMetrics metrics{.lookups = 3, .hit_tokens = 256, .queued_chains = 9};
  metrics.endpoints.resize(2);
  metrics.endpoints[0] = {.label = "redis://10.0.0.5:6379", .read_bytes = 7000};
  metrics.endpoints[1] = {.label = "s3://bucket/prefix", .written_objects = 4};
  auto& probes = metrics.endpoints[0].seconds[static_cast<size_t>(RemoteOperation::kProbe)];
  probes = make_histogram({1});
  probes.add(0.25);
  probes.add(0.5);
  NamedTotals all = totals_of(metrics);
  all["lookups"] = 1;  // the store's own
  const RemoteTotals totals = remote_totals_in(all);
  EXPECT_EQ(totals.counts.at("lookups"), 3);
  EXPECT_EQ(totals.counts.at("hit_tokens"), 256);
  EXPECT_FALSE(totals.counts.contains("queued_chains")) << "those that wait now are no total";
  ASSERT_EQ(totals.endpoints.size(), 2u);
  EXPECT_EQ(totals.endpoints.at("redis://10.0.0.5:6379").at("read_bytes"), 7000);
  EXPECT_EQ(totals.endpoints.at("redis://10.0.0.5:6379").at("probe_calls"), 2);
  EXPECT_EQ(totals.endpoints.at("redis://10.0.0.5:6379").at("probe_us"), 750'000);
  EXPECT_EQ(totals.endpoints.at("s3://bucket/prefix").at("written_objects"), 4);
}

TEST(RemoteTotals, AStoreWithoutAnyHasNone) {
  const RemoteTotals totals = remote_totals_in({{"lookups", 4}, {"remote", 5}});
  EXPECT_TRUE(totals.counts.empty());
  EXPECT_TRUE(totals.endpoints.empty());
}

}  // namespace
}  // namespace kvasir::persist
