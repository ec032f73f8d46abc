// Residency: what of an engine's cache is in RAM, when it may not all be. Within a budget come
// first the hot parts of all blocks and what a pass needs, then as many cold rows as fit.
//
// As long as everything fits, blocks stay whole. From the first time on that it does not, a sealed
// block keeps its hot part only, as soon as the store has it. Used by the engine's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kv/layout.h"
#include "kv/memory_account.h"
#include "kv/row_cache.h"
#include "kv/sequence.h"
#include "kvasir/result.h"
#include "persist/footprint.h"
#include "persist/stored_rows.h"

namespace kvasir::persist {

struct ResidencyOptions {
  int64_t budget_bytes = 0;
  PassNeeds pass;
};

// Ticket: memory that is about to be allocated, as it is asked for beforehand. Those of a pass are
// added up and granted as one, so that no sequence of a batch counts on what another takes.
struct Ticket {
  int64_t bytes = 0;
  int64_t length = 0;  // tokens of the longest sequence afterwards

  Ticket& operator+=(const Ticket& other) {
    bytes += other.bytes;
    length = std::max(length, other.length);
    return *this;
  }
};

class Residency {
 public:
  // Error: no memory to read rows into.
  static Result<std::unique_ptr<Residency>> create(store::BlockStore& store,
                                                   std::shared_ptr<const kv::CacheLayout> layout,
                                                   std::shared_ptr<kv::MemoryAccount> account,
                                                   const ResidencyOptions& options);

  // Null: the layout has no rows that are picked, so blocks stay whole.
  kv::RowCache* rows() { return rows_ ? &*rows_ : nullptr; }

  // What a cache of one sequence of that many tokens takes at least.
  int64_t bytes_min(int64_t token_count) const;
  // Error: that is more than the budget.
  Status check(int64_t token_count) const;

  // What an append of that many tokens to a sequence may allocate.
  Ticket ticket_for(const kv::Sequence& sequence, int64_t token_count) const;
  // What a resumed sequence of that many tokens may allocate, all its blocks whole, and the pass
  // behind it.
  Ticket ticket_for_whole(int64_t token_count) const;
  // The same where of so many blocks the hot parts are read, and the others are there.
  Ticket ticket_for_hot_parts(int64_t token_count, int64_t new_block_count) const;

  // Whether what is on a ticket fits beside what is there while all blocks stay whole. Once
  // something does not, blocks are never kept whole any more.
  bool admit_whole(const Ticket& ticket);
  // Sizes the row cache to what the ticket leaves of the budget. Error: it leaves too little.
  Status give_rest_to_rows(const Ticket& ticket);

 private:
  Residency(store::BlockStore& store, std::shared_ptr<const kv::CacheLayout> layout,
            std::shared_ptr<kv::MemoryAccount> account, const ResidencyOptions& options);

  // Of the budget, cold rows apart: what is allocated now, and the memory to read rows into.
  int64_t used_bytes() const;
  Error no_room(const std::string& expected) const;

  std::shared_ptr<const kv::CacheLayout> layout_;
  std::shared_ptr<kv::MemoryAccount> account_;
  ResidencyOptions options_;
  ColdFootprint cold_;
  std::optional<StoredRows> reader_;
  std::optional<kv::RowCache> rows_;
  bool is_tight_ = false;
};

}  // namespace kvasir::persist
