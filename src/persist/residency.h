// A Residency decides what of an engine's cache is in RAM when not all of it may be. The hot parts
// of all blocks and the needs of a pass come first; as many cold rows as fit get the rest.
//
// As long as everything fits, blocks stay whole. Once something does not fit, every sealed block
// keeps only its hot part as soon as the store has it. Example: a budget of 1 GiB leaves 992 MiB to
// the cache (footprint.h). A pass that would need 990 MiB in all runs with whole blocks. A pass
// that would need 1000 MiB makes blocks give up their cold rows; if hot parts, pass and read memory
// then take 400 MiB, cold rows get 592 MiB. When they grow to 500 MiB, the rows shrink to 492 MiB;
// room that becomes free is given back to rows only if it is a sixteenth of what they have or more.
//
// It owns the cached rows and the reader that fetches them. The engine's thread uses it.
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

namespace kvasir::store {
class BlockStore;
}

namespace kvasir::persist {

class StoredRows;

struct ResidencyOptions {
  int64_t budget_bytes = 0;
  PassNeeds pass;
};

// A Ticket asks beforehand for memory that is about to be allocated. The tickets of a pass are
// added up and granted as one, so that two sequences never count on the same bytes. Example:
// sequences of 1,000 and 300 tokens that need 2 MB and 1 MB make one ticket of 3 MB with length
// 1,000.
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
  ~Residency();

  // The store must outlive it. Error: no memory to read rows into.
  static Result<std::unique_ptr<Residency>> create(store::BlockStore& store,
                                                   std::shared_ptr<const kv::CacheLayout> layout,
                                                   std::shared_ptr<kv::MemoryAccount> account,
                                                   const ResidencyOptions& options);

  // Null: the layout has no rows that are picked, so blocks stay whole.
  kv::RowCache* rows() { return rows_ ? &*rows_ : nullptr; }

  // Returns the smallest budget, in bytes, for one sequence of that many tokens.
  int64_t bytes_min(int64_t token_count) const;
  // Error: bytes_min() is more than the budget (kNoRoom).
  Status check(int64_t token_count) const;

  // Asks for what an append of that many tokens to a sequence may allocate.
  Ticket ticket_for(const kv::Sequence& sequence, int64_t token_count) const;
  // Asks for what a resumed sequence of that many tokens, with all blocks whole, and the pass after
  // it may allocate.
  Ticket ticket_for_whole(int64_t token_count) const;
  // Asks for a resumed sequence of which the hot parts of new_block_count blocks are read; the
  // other blocks are in memory already.
  Ticket ticket_for_hot_parts(int64_t token_count, int64_t new_block_count) const;

  // Whether the ticket fits beside what is allocated while all blocks stay whole. After the first
  // false it is always false.
  bool admit_whole(const Ticket& ticket);
  // Sizes the row cache to what the ticket leaves of the budget. Error: it leaves too little
  // (kNoRoom).
  Status give_rest_to_rows(const Ticket& ticket);

 private:
  Residency(store::BlockStore& store, std::shared_ptr<const kv::CacheLayout> layout,
            std::shared_ptr<kv::MemoryAccount> account, const ResidencyOptions& options);

  // Returns the bytes of the budget that are in use, without the cached cold rows but with the
  // memory that rows are read into.
  int64_t used_bytes() const;
  Error no_room(const std::string& expected) const;

  std::shared_ptr<const kv::CacheLayout> layout_;
  std::shared_ptr<kv::MemoryAccount> account_;
  ResidencyOptions options_;
  ColdFootprint cold_;
  std::unique_ptr<StoredRows> reader_;  // of rows_
  std::optional<kv::RowCache> rows_;
  bool is_tight_ = false;
};

}  // namespace kvasir::persist
