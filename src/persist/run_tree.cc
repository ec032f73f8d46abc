#include "persist/run_tree.h"

#include <algorithm>
#include <unordered_set>

#include "store/eviction.h"

namespace kvasir::persist {

using store::IndexEntry;
using store::Kind;

int64_t Run::bytes() const {
  int64_t sum = 0;
  for (const IndexEntry& entry : blocks) sum += entry.info.record_bytes();
  for (const IndexEntry& entry : states) sum += entry.info.record_bytes();
  return sum;
}

double Run::hits(int64_t now_s) const {
  double sum = 0;
  for (const IndexEntry& entry : states) sum += store::decayed_hits(entry.use_count, now_s);
  return sum;
}

int64_t Run::last_used_s() const {
  int64_t newest = 0;
  for (const IndexEntry& entry : blocks) newest = std::max(newest, entry.written_s);
  for (const IndexEntry& entry : states) {
    newest = std::max({newest, entry.written_s, entry.use_count.last_used_s});
  }
  return newest;
}

RunTree::RunTree(const std::vector<IndexEntry>& entries) {
  std::unordered_set<store::Key, store::KeyHash> blocks;
  for (const IndexEntry& entry : entries) {
    if (entry.info.id.kind == Kind::kState) {
      state_of_.emplace(entry.info.id.key, entry);
    } else {
      blocks.insert(entry.info.id.key);
      children_of_[entry.info.parent].push_back(entry);
    }
  }
  const auto by_key = [](const IndexEntry& a, const IndexEntry& b) {
    return a.info.id.key < b.info.id.key;
  };
  for (auto& [parent, children] : children_of_) {
    std::sort(children.begin(), children.end(), by_key);
  }
  // A block whose parent is not here begins a tree: a first block, or one that damage cut off.
  std::vector<IndexEntry> roots;
  for (const auto& [parent, children] : children_of_) {
    if (blocks.contains(parent)) continue;
    roots.insert(roots.end(), children.begin(), children.end());
  }
  std::sort(roots.begin(), roots.end(), [](const IndexEntry& a, const IndexEntry& b) {
    return std::tie(a.info.created_s, a.info.id.key) < std::tie(b.info.created_s, b.info.id.key);
  });
  for (const IndexEntry& root : roots) add_run(root, -1);
  // Depth-first, without recursion: long trees of short runs are nothing unusual.
  for (size_t i = 0; i < runs_.size(); ++i) {
    const auto found = children_of_.find(runs_[i].key());
    if (found == children_of_.end()) continue;
    for (const IndexEntry& child : found->second) {
      runs_[i].children.push_back(std::ssize(runs_));
      add_run(child, static_cast<int64_t>(i));
    }
  }
}

void RunTree::add_run(const IndexEntry& first, int64_t parent) {
  Run run{.parent = parent};
  const IndexEntry* block = &first;
  while (true) {
    run.blocks.push_back(*block);
    if (const auto state = state_of_.find(block->info.id.key); state != state_of_.end()) {
      run.states.push_back(state->second);
    }
    const auto found = children_of_.find(block->info.id.key);
    if (found == children_of_.end() || found->second.size() != 1) break;
    // A block whose tokens do not follow is no continuation.
    if (found->second[0].info.token_begin != block->info.token_end()) break;
    block = &found->second[0];
  }
  runs_.push_back(std::move(run));
}

std::vector<store::RecordId> RunTree::subtree(int64_t run) const {
  std::vector<store::RecordId> ids;
  std::vector<int64_t> left{run};
  while (!left.empty()) {
    const Run& one = runs_[static_cast<size_t>(left.back())];
    left.pop_back();
    for (const IndexEntry& entry : one.blocks) ids.push_back(entry.info.id);
    for (const IndexEntry& entry : one.states) ids.push_back(entry.info.id);
    left.insert(left.end(), one.children.begin(), one.children.end());
  }
  return ids;
}

}  // namespace kvasir::persist
