// An Evictor chooses the records to give up when the store is full.
//
// A prefix can be resumed only at a state, so states decide. The value of a state is its uses times
// the tokens that would be replayed without it, per byte that goes with it: its own bytes and those
// of the blocks that serve nothing else. Having been written counts as
// a use. Example: a state with 2 uses, 1,280 tokens behind the state before it, with 10 blocks of
// its own and 1 MB in all, is worth 2 x 1,280 per MB. A state with 1 use, 6,400 tokens behind, with
// 5 MB, is worth 1,280 per MB and goes first.
//
// The least valuable state goes first and takes its own blocks along, from the last on. Blocks that
// no state needs go before any state. Held records stay, and so does everything they hang on.
//
// Of several tenants only those that have more than their fair share lose states, so that nobody
// pushes out what another has by storing much. Where such tenants hold all they have, the others
// lose some after all.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "store/fair_shares.h"
#include "store/shared_index.h"

namespace kvasir::store {

// A use counts half after this time.
inline constexpr int64_t kUsageHalfLifeS = 24 * 3600;

// Returns the hits as they count at now_s.
double decayed_hits(const UseCount& use_count, int64_t now_s);
// Counts one use at now_s. sequence_number: of the record that would be written next.
void add_hit(UseCount& use_count, int64_t now_s, uint64_t sequence_number);

struct Evicted {
  int64_t states = 0;
  int64_t blocks = 0;
  int64_t bytes = 0;
};

// An Evictor gives up records of one index, which must outlive it, and is used by one thread. Other
// threads may look up, use, hold and forget records meanwhile; a record that they hold before its
// turn stays.
class Evictor {
 public:
  Evictor(SharedIndex& index, int64_t now_s);

  // Removes the least valuable records from the index until at least that many bytes are gone or
  // all that is left is held.
  Evicted evict(int64_t bytes);

 private:
  struct Candidate {
    double value = 0;
    int64_t last_used_s = 0;
    uint64_t last_number = 0;  // of its last use or writing, in the order of things
    RecordId id;
    // std::priority_queue keeps the greatest on top: the least valuable, of equals the oldest.
    bool operator<(const Candidate& other) const;
  };

  void collect_candidates();
  // Removes a block that nothing hangs on, and its ancestors as far as that makes them such.
  void evict_chain(Key key);
  void evict_idle_blocks();
  // Removes states, the least valuable first, until that many bytes are gone in all. Those that
  // their tenant's share protects are put into spared_.
  void evict_states(int64_t bytes);
  // False: somebody has just begun to hold it, or has forgotten it.
  bool erase(const RecordInfo& info);
  Candidate candidate_of(const IndexEntry& state) const;

  SharedIndex& index_;
  int64_t now_s_;
  std::priority_queue<Candidate> candidates_;
  std::optional<FairShares> shares_;  // none: shares do not count
  std::vector<Candidate> spared_;
  Evicted evicted_;
};

}  // namespace kvasir::store
