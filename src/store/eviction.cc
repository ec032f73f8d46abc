#include "store/eviction.h"

#include <cmath>
#include <tuple>

namespace kvasir::store {

double decayed_hits(const Usage& usage, int64_t now_s) {
  const double age_s = static_cast<double>(std::max<int64_t>(0, now_s - usage.last_used_s));
  return usage.hits * std::exp2(-age_s / kUsageHalfLifeS);
}

void add_hit(Usage& usage, int64_t now_s) {
  usage.hits = decayed_hits(usage, now_s) + 1;
  usage.last_used_s = now_s;
}

bool Evictor::Candidate::operator<(const Candidate& other) const {
  return std::tie(value, last_used_s) > std::tie(other.value, other.last_used_s);
}

Evictor::Evictor(Index& index, IsHeld is_held, int64_t now_s)
    : index_(index), is_held_(std::move(is_held)), now_s_(now_s) {
  for (const auto& [id, entry] : index_.entries()) {
    if (id.kind == Kind::kState && !is_held_(id.key)) candidates_.push(candidate_of(entry));
  }
}

bool Evictor::serves_nothing(const Key& block) const {
  return index_.child_count(block) == 0 && !is_held_(block);
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
    const IndexEntry* block = index_.find({Kind::kBlock, key});
    if (block == nullptr || block->info.token_end() != end) break;
    is_own = is_own && index_.child_count(key) == 1 && !is_held_(key);
    if (is_own) bytes += block->info.record_bytes();
    replayed_tokens += block->info.token_count;
    key = block->info.parent;
    end = block->info.token_begin;
    is_whole = block->info.is_first_block() || index_.find({Kind::kState, key}) != nullptr;
  }
  // Behind a gap nothing can be resumed.
  if (!is_whole) replayed_tokens = 0;
  // Being written counts as a use.
  const double uses = decayed_hits(state.usage, now_s_) +
                      decayed_hits({.hits = 1, .last_used_s = info.created_s}, now_s_);
  const double value = uses * static_cast<double>(replayed_tokens) / static_cast<double>(bytes);
  return {value, std::max(state.usage.last_used_s, info.created_s), info.id};
}

void Evictor::erase(const RecordInfo& info) {
  evicted_.bytes += info.record_bytes();
  ++(info.id.kind == Kind::kState ? evicted_.states : evicted_.blocks);
  index_.erase(RecordId(info.id));
}

void Evictor::evict_chain(Key key) {
  while (serves_nothing(key)) {
    const IndexEntry* block = index_.find({Kind::kBlock, key});
    if (block == nullptr) return;
    const RecordInfo info = block->info;
    erase(info);
    if (info.is_first_block()) return;
    key = info.parent;
  }
}

void Evictor::evict_idle_blocks() {
  std::vector<Key> leaves;
  for (const auto& [id, entry] : index_.entries()) {
    if (id.kind == Kind::kBlock && serves_nothing(id.key)) leaves.push_back(id.key);
  }
  for (const Key& key : leaves) evict_chain(key);
}

Evicted Evictor::evict(int64_t bytes) {
  evict_idle_blocks();
  while (evicted_.bytes < bytes && !candidates_.empty()) {
    const Candidate top = candidates_.top();
    candidates_.pop();
    const IndexEntry* state = index_.find(top.id);
    if (state == nullptr) continue;
    // Since it was queued the state before it may have gone: then it is worth more than it was.
    const Candidate fresh = candidate_of(*state);
    if (!candidates_.empty() && fresh < candidates_.top()) {
      candidates_.push(fresh);
      continue;
    }
    erase(RecordInfo(state->info));
    evict_chain(top.id.key);
  }
  return evicted_;
}

}  // namespace kvasir::store
