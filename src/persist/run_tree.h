// A RunTree shows what a store holds as trees of runs, for people. It is a snapshot of plain values
// and is used by one thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "store/index.h"

namespace kvasir::persist {

// A Run is a list of blocks that follow each other without another text branching off in between.
struct Run {
  std::vector<store::IndexEntry> blocks;
  std::vector<store::IndexEntry> states;  // behind these blocks
  int64_t parent = -1;                    // index of the run it continues
  std::vector<int64_t> children;

  const store::Key& key() const { return blocks.back().info.id.key; }
  int64_t bytes() const;
  double hits(int64_t now_s) const;
  int64_t last_used_s() const;
};

class RunTree {
 public:
  explicit RunTree(const std::vector<store::IndexEntry>& entries);

  // Lists parents before their children.
  const std::vector<Run>& runs() const { return runs_; }
  // Returns the ids of a run's records and of all that continues it.
  std::vector<store::RecordId> subtree(int64_t run) const;

 private:
  using Blocks = std::vector<store::IndexEntry>;
  void add_run(const store::IndexEntry& first, int64_t parent);

  std::unordered_map<store::Key, Blocks, store::KeyHash> children_of_;
  std::unordered_map<store::Key, store::IndexEntry, store::KeyHash> state_of_;
  std::vector<Run> runs_;
};

}  // namespace kvasir::persist
