#include "base/machine_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

namespace kvasir {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

class MachineMemoryTest : public ::testing::Test {
 protected:
  ~MachineMemoryTest() override { std::filesystem::remove_all(root_); }

  void limit(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = root_ + "/" + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  int64_t least(const std::string& groups) const { return control_group_bytes(groups, root_); }

  const std::string root_ =
      ::testing::TempDir() + "kvasir_machine_memory_test_" + std::to_string(getpid());
};

TEST_F(MachineMemoryTest, GroupsOfVersion2AreBoundByThoseThatTheyLieIn) {
  limit("a/memory.max", "5000");
  limit("a/b/memory.max", "max");
  limit("c/memory.max", "7000");
  EXPECT_EQ(least("0::/a/b\n"), 5000);
  limit("a/b/memory.max", "4000");
  EXPECT_EQ(least("0::/a/b\n"), 4000);
  EXPECT_EQ(least("0::/c\n"), 7000);
  EXPECT_EQ(least("0::/d\n"), kNoLimit);
}

TEST_F(MachineMemoryTest, GroupsOfVersion1HaveAFolderOfTheirController) {
  limit("memory/a/memory.limit_in_bytes", "6000");
  limit("memory/a/b/memory.limit_in_bytes", "9223372036854771712");
  limit("cpu/a/memory.limit_in_bytes", "1");
  EXPECT_EQ(least("9:cpu:/a\n4:memory:/a/b\n0::/\n"), 6000);
  EXPECT_EQ(least("4:hugetlb,memory:/a\n"), 6000);
  EXPECT_EQ(least("9:cpu:/a\n"), kNoLimit);
}

// In a container /proc names the group as the machine knows it, or as the root.
TEST_F(MachineMemoryTest, ContainersSeeTheirGroupAsTheRoot) {
  limit("memory.max", "3000");
  EXPECT_EQ(least("0::/\n"), 3000);
  limit("memory/memory.limit_in_bytes", "2000");
  EXPECT_EQ(least("4:memory:/docker/5f\n"), 2000);
}

TEST_F(MachineMemoryTest, WhatIsNoListOfGroupsIsNoLimit) {
  limit("memory.max", "3000");
  for (const char* groups : {"", "\n", "0", "0:", "0::", "::", "a:b"}) {
    EXPECT_EQ(least(groups), kNoLimit) << groups;
  }
}

TEST_F(MachineMemoryTest, AMachineHasMemory) { EXPECT_GT(machine_memory_bytes(), 0); }

}  // namespace
}  // namespace kvasir
