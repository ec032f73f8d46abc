// What tenants of a full store keep, however much another stores.
#include "store/fair_shares.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "simulated_disk.h"
#include "store/eviction.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::key_of;
using testing::SimulatedDisk;

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kNowS = 10'000'000;
constexpr int64_t kBlocks = 20;  // of a conversation
constexpr Tenant kAlice = 0x0102030405060708;
constexpr Tenant kBob = ~uint64_t{0};

Key root_of(Tenant tenant) {
  return tenant == kNobody ? key_of(0, -1) : tenant_root(key_of(0, -1), tenant);
}

TEST(Tenant, IsReadOffItsRoots) {
  for (const Tenant tenant : {kAlice, kBob}) {
    EXPECT_EQ(tenant_of_root(root_of(tenant)), tenant);
    EXPECT_NE(tenant_root(key_of(1, -1), tenant), root_of(tenant));
  }
  EXPECT_EQ(tenant_of_root(root_of(kNobody)), kNobody);
  EXPECT_EQ(tenant_of_root(Key{}), kNobody);
}

TEST(FairShares, WhatOneLeavesIsLentToTheOthers) {
  EXPECT_EQ(fair_share_bytes({60, 10, 30}, 90), 50);
  EXPECT_EQ(fair_share_bytes({44, 10, 46}, 90), 40);
  EXPECT_EQ(fair_share_bytes({100, 100, 100}, 200), 66);
  EXPECT_EQ(fair_share_bytes({70}, 60), 60);
  EXPECT_EQ(fair_share_bytes({70, 20}, -5), 0);
  EXPECT_GE(fair_share_bytes({70, 20}, 90), 70) << "nothing has to go";
}

// Conversations of 4 blocks and a state each, of one page and a header's.
class TenantsIndex {
 public:
  static constexpr int64_t kConversationBytes = 5 * 2 * kPageBytes;

  void add(Tenant tenant, int64_t conversation, double hits) {
    Key parent = root_of(tenant);
    for (int64_t b = 0; b < 4; ++b) {
      const Key key = key_of(conversation, b);
      insert({Kind::kBlock, key}, parent, b * 128, 128, 0);
      parent = key;
    }
    insert({Kind::kState, parent}, parent, 4 * 128, 0, hits);
  }
  std::set<int64_t> evict(int64_t conversations) {
    Evictor(index, kNowS).evict(conversations * kConversationBytes);
    std::set<int64_t> left;
    for (int64_t c = 0; c < 100; ++c) {
      if (index.find({Kind::kState, key_of(c, 3)})) left.insert(c);
    }
    return left;
  }

  SharedIndex index;

 private:
  void insert(const RecordId& id, const Key& parent, int64_t begin, int64_t count, double hits) {
    const RecordInfo info{.id = id,
                          .parent = parent,
                          .token_begin = begin,
                          .token_count = count,
                          .payload_bytes = 100,
                          .created_s = kNowS,
                          .sequence_number = ++number_};
    index.insert({info, 0}, 1, {.hits = hits, .last_used_s = kNowS});
  }

  uint64_t number_ = 0;
};

TEST(FairShares, WhoeverHasMoreThanTheirShareLosesWhatIsWorthLeast) {
  TenantsIndex tenants;
  for (const int64_t c : {0, 1}) tenants.add(kAlice, c, 0);
  tenants.add(kNobody, 2, 0);
  for (int64_t c = 10; c < 20; ++c) tenants.add(kBob, c, static_cast<double>(c));
  EXPECT_EQ(tenants.evict(3), (std::set<int64_t>{0, 1, 2, 13, 14, 15, 16, 17, 18, 19}));
  // Bob has nothing but his share left once five more are gone: then all three give.
  EXPECT_EQ(tenants.evict(5), (std::set<int64_t>{0, 1, 2, 18, 19}));
  EXPECT_EQ(tenants.evict(2), (std::set<int64_t>{1, 2, 19}));
}

TEST(FairShares, ATenantAloneIsNotProtectedFromItself) {
  for (const Tenant tenant : {kAlice, kNobody}) {
    TenantsIndex tenants;
    for (int64_t c = 0; c < 4; ++c) tenants.add(tenant, c, static_cast<double>(c));
    EXPECT_EQ(tenants.evict(3), (std::set<int64_t>{3}));
  }
}

TEST(FairShares, WhatIsHeldIsNotTakenFromWhoeverHasTooMuch) {
  TenantsIndex tenants;
  for (const int64_t c : {0, 1}) tenants.add(kAlice, c, static_cast<double>(c));
  for (const int64_t c : {10, 11, 12}) tenants.add(kBob, c, 9);
  for (const int64_t c : {10, 11, 12}) tenants.index.hold(key_of(c, 3));
  EXPECT_EQ(tenants.evict(1), (std::set<int64_t>{1, 10, 11, 12}));
}

// A state that a gap before it has made useless is in its tenant's way only.
TEST(FairShares, WhatNobodyCanResumeFromGoesFirst) {
  TenantsIndex tenants;
  for (const int64_t c : {0, 1}) tenants.add(kAlice, c, 9);
  for (const int64_t c : {10, 11, 12}) tenants.add(kBob, c, 0);
  tenants.index.erase({Kind::kBlock, key_of(0, 0)});
  Evictor(tenants.index, kNowS).evict(1);
  EXPECT_FALSE(tenants.index.find({Kind::kState, key_of(0, 3)}));
  EXPECT_TRUE(tenants.index.find({Kind::kState, key_of(10, 3)}));
}

// ---- a store of 4 MiB ----

std::unique_ptr<BlockStore> open(const std::shared_ptr<SimulatedDisk>& disk) {
  auto store =
      BlockStore::open(disk, {.directory = "/store",
                              .budget_bytes = 4 * kMiB,
                              .min_free_bytes = 0,
                              .now_s = [time_s = kNowS]() mutable { return time_s += 30; }});
  EXPECT_TRUE(store.ok()) << store.error().message();
  return std::move(store).value();
}

void put_of(BlockStore& store, Tenant tenant, int64_t conversation, int uses) {
  const std::vector<int32_t> tokens(128, 1);
  const std::vector<std::byte> payload(4096, std::byte{3});
  Key parent = root_of(tenant);
  for (int64_t b = 0; b < kBlocks; ++b) {
    const Key key = key_of(conversation, b);
    const Hold hold(store, parent);
    ASSERT_TRUE(store
                    .put({.id = {Kind::kBlock, key},
                          .parent = parent,
                          .token_begin = b * 128,
                          .tokens = tokens},
                         payload)
                    .ok());
    parent = key;
  }
  const Hold hold(store, parent);
  const RecordId state{Kind::kState, parent};
  ASSERT_TRUE(
      store.put({.id = state, .parent = parent, .token_begin = kBlocks * 128}, payload).ok());
  for (int use = 0; use < uses; ++use) store.touch(state);
}

int64_t count_there(BlockStore& store, int64_t begin, int64_t end) {
  int64_t count = 0;
  for (int64_t c = begin; c < end; ++c) {
    bool is_whole = store.find({Kind::kState, key_of(c, kBlocks - 1)}).has_value();
    for (int64_t b = 0; b < kBlocks; ++b) {
      is_whole = is_whole && store.find({Kind::kBlock, key_of(c, b)}).has_value();
    }
    count += is_whole;
  }
  return count;
}

// What is stored later is newer and used more often. 24 conversations are the store's budget.
TEST(FairShares, AFloodOfOneTenantLeavesTheOthersTheirShare) {
  for (const Tenant tenant : {kAlice, kNobody}) {
    auto disk = std::make_shared<SimulatedDisk>();
    auto store = open(disk);
    for (int64_t c = 0; c < 8; ++c) put_of(*store, tenant, c, 0);
    for (int64_t c = 100; c < 220; ++c) put_of(*store, kBob, c, 3);
    EXPECT_EQ(count_there(*store, 0, 8), 8);
    EXPECT_GE(count_there(*store, 100, 340), 6) << "what is not used is lent";
    // Whose records are whose is read off them.
    store.reset();
    store = open(disk);
    for (int64_t c = 220; c < 340; ++c) put_of(*store, kBob, c, 3);
    EXPECT_EQ(count_there(*store, 0, 8), 8);
  }
}

TEST(FairShares, WhoHadAllKeepsHalf) {
  auto store = open(std::make_shared<SimulatedDisk>());
  for (int64_t c = 0; c < 40; ++c) put_of(*store, kAlice, c, 3);
  EXPECT_GT(count_there(*store, 0, 40), 12) << "nobody else wants it";
  for (int64_t c = 100; c < 340; ++c) put_of(*store, kBob, c, 9);
  EXPECT_GE(count_there(*store, 0, 40), 7);
  EXPECT_GE(count_there(*store, 100, 340), 7);
  // And the other way round.
  for (int64_t c = 400; c < 640; ++c) put_of(*store, kAlice, c, 20);
  EXPECT_GE(count_there(*store, 100, 340), 7);
}

}  // namespace
}  // namespace kvasir::store
