#include "kernels/instruction_sets.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kvasir::kernels {
namespace {

TEST(InstructionSetList, ThePortableOneComesFirstAndRunsEverywhere) {
  const InstructionSet& first = instruction_sets().front();
  EXPECT_STREQ(first.table.name, "portable");
  EXPECT_TRUE(first.is_supported());
}

TEST(InstructionSetList, TheReferenceIsFoundButNotListed) {
  EXPECT_EQ(find_instruction_set("ref"), &reference_set());
  EXPECT_TRUE(reference_set().is_supported());
  for (const InstructionSet& set : instruction_sets()) EXPECT_STRNE(set.table.name, "ref");
}

TEST(InstructionSetList, AreFoundByTheirNames) {
  std::set<std::string> names;
  for (const InstructionSet& set : instruction_sets()) {
    EXPECT_EQ(find_instruction_set(set.table.name), &set);
    EXPECT_TRUE(names.insert(set.table.name).second) << "twice: " << set.table.name;
  }
  EXPECT_EQ(find_instruction_set("auto"), nullptr);
  EXPECT_EQ(find_instruction_set(""), nullptr);
}

TEST(InstructionSetList, TheBestIsTheLastThatThisMachineRuns) {
  const InstructionSet& best = best_instruction_set();
  EXPECT_TRUE(best.is_supported());
  for (const InstructionSet* set = &best + 1; set < &*instruction_sets().end(); ++set) {
    EXPECT_FALSE(set->is_supported()) << set->table.name;
  }
}

}  // namespace
}  // namespace kvasir::kernels
