// Residency: what of an engine's cache is in RAM, when it may not all be. Within a budget come
// first the hot parts of all blocks and what a pass needs, then as many cold rows as fit.
//
// As long as everything fits, blocks stay whole. From the first time on that it does not, a sealed
// block keeps its hot part only, as soon as the store has it. Used by the engine's thread.
#pragma once

#include <cstdint>
#include <memory>

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

class Residency {
 public:
  // Error: no memory to read rows into.
  static Result<std::unique_ptr<Residency>> create(store::BlockStore& store,
                                                   std::shared_ptr<const kv::CacheLayout> layout,
                                                   std::shared_ptr<kv::MemoryAccount> account,
                                                   const ResidencyOptions& options);

  kv::RowCache& rows() { return rows_; }

  // What a cache of one sequence of that many tokens takes at least.
  int64_t bytes_min(int64_t token_count) const;
  // Error: that is more than the budget.
  Status check(int64_t token_count) const;

  // Whether a sequence of that many tokens can be taken in whole, beside what is there. Once it
  // cannot, nothing is any more.
  bool takes_whole(int64_t token_count);
  // The same for an append to a sequence that is there.
  bool takes_whole(const kv::Sequence& sequence, int64_t token_count);
  // Once the sequence's blocks are hot parts: gives the rest of the budget to cold rows. Error: the
  // append would pass the budget.
  Status give_rest_to_rows(const kv::Sequence& sequence, int64_t token_count);

 private:
  Residency(store::BlockStore& store, std::shared_ptr<const kv::CacheLayout> layout,
            std::shared_ptr<kv::MemoryAccount> account, const ResidencyOptions& options);

  // Of the budget, cold rows apart: what is allocated now, with what an account does not see of a
  // sequence of that many tokens.
  int64_t used_bytes(int64_t token_count) const;
  // What an append is about to allocate.
  int64_t append_bytes(const kv::Sequence& sequence, int64_t token_count) const;
  int64_t uncounted_bytes(int64_t token_count) const;
  // Once they do not, nothing does any more.
  bool fits_whole(int64_t bytes);
  Error no_room(const std::string& expected) const;

  std::shared_ptr<const kv::CacheLayout> layout_;
  std::shared_ptr<kv::MemoryAccount> account_;
  ResidencyOptions options_;
  ColdFootprint cold_;
  StoredRows reader_;
  kv::RowCache rows_;
  bool is_tight_ = false;
};

}  // namespace kvasir::persist
