#include "persist/run_tree.h"

#include <gtest/gtest.h>

namespace kvasir::persist {
namespace {

using store::IndexEntry;
using store::Kind;

store::Key key(int number) {
  store::Key key{};
  key[0] = static_cast<std::byte>(number);
  return key;
}

IndexEntry block(int number, int parent, int64_t token_begin) {
  IndexEntry entry;
  entry.info = {.id = {Kind::kBlock, key(number)},
                .parent = key(parent),
                .token_begin = token_begin,
                .token_count = 128,
                .payload_bytes = 100};
  return entry;
}

IndexEntry state(int number, int64_t at) {
  IndexEntry entry;
  entry.info = {.id = {Kind::kState, key(number)},
                .parent = key(number),
                .token_begin = at,
                .payload_bytes = 50};
  return entry;
}

// 1-2 then 3 or 4-5; another tree 7; 9 hangs on a block that is gone.
std::vector<IndexEntry> two_trees() {
  return {block(1, 100, 0),   block(2, 1, 128), block(3, 2, 256), block(4, 2, 256),
          block(5, 4, 384),   state(5, 512),    state(2, 256),    block(7, 100, 0),
          block(9, 8, 12800), state(9, 12928)};
}

const Run& run_ending_in(const RunTree& tree, int number) {
  for (const Run& run : tree.runs()) {
    if (run.key() == key(number)) return run;
  }
  ADD_FAILURE() << number;
  return tree.runs()[0];
}

TEST(RunTree, RunsEndWhereTextsBranchOff) {
  const RunTree tree(two_trees());
  ASSERT_EQ(tree.runs().size(), 5u);
  const auto& shared = run_ending_in(tree, 2);
  EXPECT_EQ(shared.blocks.size(), 2u);
  EXPECT_EQ(shared.states.size(), 1u);
  EXPECT_EQ(shared.parent, -1);
  EXPECT_EQ(shared.children.size(), 2u);
  const auto& branch = run_ending_in(tree, 5);
  EXPECT_EQ(branch.blocks.size(), 2u);
  EXPECT_EQ(tree.runs()[static_cast<size_t>(branch.parent)].key(), key(2));
  EXPECT_EQ(run_ending_in(tree, 9).parent, -1);
  EXPECT_EQ(branch.bytes(), 3 * 2 * 4096);
}

TEST(RunTree, ASubtreeIsARunAndAllThatContinuesIt) {
  const RunTree tree(two_trees());
  const auto size_below = [&](int number) {
    int64_t run = 0;
    while (tree.runs()[static_cast<size_t>(run)].key() != key(number)) ++run;
    return tree.subtree(run).size();
  };
  EXPECT_EQ(size_below(2), 7u);
  EXPECT_EQ(size_below(5), 3u);
  EXPECT_EQ(size_below(7), 1u);
}

TEST(RunTree, ParentsComeFirst) {
  const RunTree tree(two_trees());
  for (int64_t i = 0; i < std::ssize(tree.runs()); ++i) {
    EXPECT_LT(tree.runs()[static_cast<size_t>(i)].parent, i);
  }
}

}  // namespace
}  // namespace kvasir::persist
