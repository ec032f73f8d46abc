#include "store/directory_claim.h"

#include <gtest/gtest.h>

#include "simulated_disk.h"

namespace kvasir::store {
namespace {

using testing::SimulatedDisk;

TEST(DirectoryClaim, OneWriterAtATime) {
  const auto disk = std::make_shared<SimulatedDisk>();
  {
    const auto first = claim_directory(*disk, {.directory = "/a/store"});
    ASSERT_TRUE(first.ok()) << first.error().message();
    EXPECT_TRUE(first->is_writer());
    EXPECT_EQ(first->owner, disk->user());
    const auto second = claim_directory(*disk, {.directory = "/a/store"});
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind, ErrorKind::kLocked);
  }
  EXPECT_TRUE(claim_directory(*disk, {.directory = "/a/store"}).ok());
}

TEST(DirectoryClaim, AWriterThatMayOnlyReadSaysWhyItDoes) {
  const auto disk = std::make_shared<SimulatedDisk>();
  const auto first = claim_directory(*disk, {.directory = "/store"});
  ASSERT_TRUE(first.ok());
  const auto second = claim_directory(*disk, {.directory = "/store", .may_only_read = true});
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->is_writer());
  EXPECT_FALSE(second->owner);
  ASSERT_TRUE(second->why_only_reads);
  EXPECT_EQ(second->why_only_reads->kind, ErrorKind::kLocked);
}

TEST(DirectoryClaim, AStoreThatMustExistIsNotMade) {
  const auto disk = std::make_shared<SimulatedDisk>();
  const auto claim = claim_directory(*disk, {.directory = "/store", .must_exist = true});
  ASSERT_FALSE(claim.ok());
  EXPECT_EQ(claim.error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(disk->paths().empty());
}

}  // namespace
}  // namespace kvasir::store
