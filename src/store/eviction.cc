#include "store/eviction.h"

#include <cmath>
#include <deque>
#include <optional>
#include <tuple>

namespace kvasir::store {

double decayed_hits(const UseCount& use_count, int64_t now_s) {
  const double age_s = static_cast<double>(std::max<int64_t>(0, now_s - use_count.last_used_s));
  return use_count.hits * std::exp2(-age_s / kUsageHalfLifeS);
}

void add_hit(UseCount& use_count, int64_t now_s, uint64_t sequence_number) {
  use_count = {.hits = decayed_hits(use_count, now_s) + 1,
               .last_used_s = now_s,
               .told_s = now_s,
               .sequence_number = sequence_number};
}

bool Evictor::Candidate::operator<(const Candidate& other) const {
  return std::tie(value, last_used_s, last_number) >
         std::tie(other.value, other.last_used_s, other.last_number);
}

Evictor::Evictor(SharedIndex& index, int64_t now_s) : index_(index), now_s_(now_s) {}

void Evictor::collect_candidates() {
  std::deque<RecordId> states;  // grows without being copied while the index waits
  index_.for_each([&](const Index& index, const IndexEntry& entry) {
    const RecordId& id = entry.info.id;
    if (id.kind == Kind::kState && !index.is_held(id.key)) states.push_back(id);
  });
  for (const RecordId& id : states) {
    if (const auto state = index_.find(id)) candidates_.push(candidate_of(*state));
  }
}

Evictor::Candidate Evictor::candidate_of(const IndexEntry& state) const {
  const RecordInfo& info = state.info;
  int64_t bytes = info.record_bytes();
  int64_t replayed_tokens = 0;
  // From block to block towards the beginning, up to the next state: what would be replayed. Blocks
  // count as this state's own as long as nothing else hangs on them.
  bool is_own = true;
  bool is_whole = false;
  Key key = info.id.key;
  int64_t end = info.token_begin;
  while (!is_whole) {
    const std::optional<IndexEntry> block = index_.find({Kind::kBlock, key});
    if (!block || block->info.token_end() != end) break;
    is_own = is_own && index_.child_count(key) == 1 && !index_.is_held(key);
    if (is_own) bytes += block->info.record_bytes();
    replayed_tokens += block->info.token_count;
    key = block->info.parent;
    end = block->info.token_begin;
    is_whole = block->info.is_first_block() || index_.find({Kind::kState, key});
  }
  // With a block missing before it, the state cannot be resumed from.
  if (!is_whole) replayed_tokens = 0;
  // Being written counts as a use.
  const double uses = decayed_hits(state.use_count, now_s_) +
                      decayed_hits({.hits = 1, .last_used_s = state.written_s}, now_s_);
  const double value = uses * static_cast<double>(replayed_tokens) / static_cast<double>(bytes);
  return {value, std::max(state.use_count.last_used_s, state.written_s),
          std::max(state.use_count.sequence_number, info.sequence_number), info.id};
}

bool Evictor::erase(const RecordInfo& info) {
  if (!index_.erase_unneeded(info.id)) return false;
  evicted_.bytes += info.record_bytes();
  if (shares_) shares_->subtract(info);
  ++(info.id.kind == Kind::kState ? evicted_.states : evicted_.blocks);
  return true;
}

void Evictor::evict_chain(Key key) {
  while (const std::optional<IndexEntry> block = index_.find({Kind::kBlock, key})) {
    if (!erase(block->info) || block->info.is_first_block()) return;
    key = block->info.parent;
  }
}

void Evictor::evict_idle_blocks() {
  std::deque<Key> leaves;
  index_.for_each([&](const Index& index, const IndexEntry& entry) {
    const RecordId& id = entry.info.id;
    const bool is_leaf = id.kind == Kind::kBlock && index.child_count(id.key) == 0;
    if (is_leaf && !index.is_held(id.key)) leaves.push_back(id.key);
  });
  for (const Key& key : leaves) evict_chain(key);
}

void Evictor::evict_states(int64_t bytes) {
  while (evicted_.bytes < bytes && !candidates_.empty()) {
    const Candidate top = candidates_.top();
    candidates_.pop();
    const std::optional<IndexEntry> state = index_.find(top.id);
    if (!state) continue;
    // Since it was queued the state before it may have gone: then it is worth more than it was.
    const Candidate fresh = candidate_of(*state);
    if (!candidates_.empty() && fresh < candidates_.top()) {
      candidates_.push(fresh);
      continue;
    }
    // What nobody can resume from is no loss to its tenant.
    if (shares_ && fresh.value > 0 && !shares_->is_exceeded_at(top.id.key)) {
      spared_.push_back(fresh);
      continue;
    }
    if (erase(state->info)) evict_chain(top.id.key);
  }
}

Evicted Evictor::evict(int64_t bytes) {
  collect_candidates();
  evict_idle_blocks();
  if (evicted_.bytes >= bytes) return evicted_;
  shares_.emplace(index_, bytes - evicted_.bytes);
  evict_states(bytes);
  shares_.reset();
  for (const Candidate& candidate : spared_) candidates_.push(candidate);
  evict_states(bytes);
  return evicted_;
}

}  // namespace kvasir::store
