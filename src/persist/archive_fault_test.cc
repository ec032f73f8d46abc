// Exporting from a device that fails: what could not be read is not called damaged.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "persist/archive.h"
#include "simulated_disk.h"
#include "store_driver.h"

namespace kvasir::persist {
namespace {

using testing::Fault;
using testing::SimulatedDisk;

// Blocks of one length, as those of one cache are.
void put_block(store::BlockStore& store, int64_t block) {
  const std::vector<std::byte> payload(5000, static_cast<std::byte>(block));
  const std::vector<int32_t> tokens(128, static_cast<int32_t>(block));
  ASSERT_TRUE(store
                  .put({.id = testing::id_of({1, block}),
                        .parent = testing::key_of(1, block - 1),
                        .token_begin = block * 128,
                        .tokens = tokens},
                       payload)
                  .ok());
}

TEST(ArchiveFault, WhatCannotBeReadNowIsNotCalledDamaged) {
  constexpr int64_t kBlocks = 3;
  for (const Fault fault : {Fault::kShortage, Fault::kIoError}) {
    int64_t struck = 1;
    for (int64_t operation = 0; struck != 0 && !HasFailure(); ++operation) {
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at operation " +
                   std::to_string(operation));
      auto disk = std::make_shared<SimulatedDisk>();
      auto store = store::BlockStore::open(disk, {.directory = "/store", .min_free_bytes = 0});
      ASSERT_TRUE(store.ok());
      for (int64_t b = 0; b < kBlocks; ++b) put_block(**store, b);
      const auto export_to = [&](const char* path) {
        return export_chain(**store, testing::key_of(1, kBlocks - 1), *disk, path);
      };
      disk->set_fault(fault, disk->operation_count() + operation, false);
      const auto failed = export_to("/failed");
      struck = disk->fault_count();
      disk->set_fault(Fault::kNone, 0, false);
      EXPECT_TRUE(failed.ok() || failed.error().kind != ErrorKind::kDamaged);
      EXPECT_TRUE(export_to("/whole").ok());
    }
  }
}

}  // namespace
}  // namespace kvasir::persist
