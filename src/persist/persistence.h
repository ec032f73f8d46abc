// Persistence: the one place where kv/ meets store/. It finds the deepest prefix of some tokens
// that a sequence can continue from, and takes what sequences make to the store.
//
// Used by one thread, as the engine is; the writing behind it has a thread of its own. Outlives the
// recorders it hands out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "kv/layout.h"
#include "kv/memory_account.h"
#include "kv/sequence.h"
#include "kvasir/result.h"
#include "kvasir/store.h"
#include "persist/prefix_chain.h"
#include "persist/recorder.h"
#include "persist/residency.h"
#include "persist/saver.h"
#include "persist/sink.h"
#include "store/directory.h"
#include "store/tier.h"

namespace kvasir::persist {

struct Resumed {
  kv::Sequence sequence;  // empty when nothing was found
  Recorder recorder;
};

// New tokens of one sequence in a pass.
struct Appending {
  kv::Sequence* sequence = nullptr;
  Recorder* recorder = nullptr;  // the sequence's
  int64_t token_count = 0;
};

class Persistence : private Sink {
 public:
  // A store that cannot be written is read only (notes). Error: it cannot be opened at all, or a
  // model's cache comes in larger pieces than it takes.
  static Result<std::unique_ptr<Persistence>> open(const StoreOptions& options,
                                                   const CacheIdentity& identity,
                                                   std::shared_ptr<const kv::CacheLayout> layout,
                                                   std::shared_ptr<kv::MemoryAccount> account);

  // A sequence that holds the longest prefix of `tokens`, of at most length_max tokens, for which
  // all blocks and the state at its end are there (where a layout has none, all blocks). Damage
  // makes it shorter, never wrong. Error: no memory, or a RAM budget would be passed.
  Result<Resumed> resume(std::span<const int32_t> tokens, int64_t length_max);

  // Returns how many tokens resume would begin with as far as the index knows; damage may make it
  // fewer.
  int64_t resumable_tokens(std::span<const int32_t> tokens, int64_t length_max);

  // Returns when all that was handed over is written.
  void drain();
  // The first failure to save since the last call.
  std::optional<Error> take_error() { return saver_ ? saver_->take_error() : std::nullopt; }

  // From now on the cache takes at most that much RAM. Error: no memory for what that needs.
  Status set_ram_budget(const ResidencyOptions& options);
  // Null: there is no budget.
  Residency* residency() { return residency_.get(); }
  // Before every pass, for all its sequences at once. Error: the budget is too small for them.
  Status make_room(std::span<const Appending> pass);
  // Rows at hand give way, as far as they can, to a sequence that is never refused: one without
  // tokens, or a fork. Its next pass may be.
  void make_way(int64_t bytes);

  // Reads all blocks that the store has of these tokens; damaged ones are found no more. Error: no
  // memory to read into.
  Status verify(std::span<const int32_t> tokens);

  bool saves() const override { return saver_ != nullptr; }
  std::vector<Error> notes() const { return directory_->notes(); }
  StoreMetrics metrics() const { return store_->metrics().snapshot(); }
  store::BlockStore& store() { return *store_; }

 private:
  Persistence(std::shared_ptr<const kv::CacheLayout> layout,
              std::shared_ptr<kv::MemoryAccount> account)
      : layout_(std::move(layout)), account_(std::move(account)) {}

  void save(SaveJob job) override;
  Result<kv::Block> new_state() override;
  store::Hold hold(const store::Key& key) override { return {*store_, key}; }

  Result<Resumed> resume_nothing(int64_t branch_tokens);
  // Blocks and states that are known for a chain of keys.
  struct Known {
    int64_t blocks = 0;          // from the first on, in memory or in the tier
    std::vector<bool> in_tier;   // [keys] blocks
    std::vector<bool> state_at;  // [keys] states to go on from
  };
  Known find_known(std::span<const store::Key> keys);
  // Reads records, many at a time. Error: no memory.
  struct Incoming {
    store::RecordId id;
    int64_t payload_bytes = 0;
    int64_t head_bytes = 0;  // less: that much is wanted now, the rest piece by piece
    kv::Block payload;
    bool is_right = false;  // it was there, and what it should be
  };
  Status fetch(std::span<Incoming> incoming);
  // Brings `blocks`, which hold a beginning of the prefix, up to the whole of it, or to where a
  // block is missing. Returns the state at the prefix's end, if it is there.
  Result<std::optional<kv::Block>> load(std::span<const store::Key> prefix, const Known& known,
                                        std::vector<kv::SealedBlock>& blocks);
  // What is missing of `blocks`, the state first where the layout has one. `places` of the others.
  std::vector<Incoming> missing_of(std::span<const store::Key> prefix, const Known& known,
                                   std::vector<kv::SealedBlock>& blocks,
                                   std::vector<size_t>& places);
  Status choose_parts(std::span<Incoming> blocks, int64_t token_count);
  Status release_and_give_rest(std::span<const Appending> pass, const Ticket& ticket);
  void release_cold_parts(kv::Sequence& sequence, std::span<const store::Key> keys);
  // Null: the store does not have the block (yet).
  kv::SealedBlock hot_part_of(const store::Key& key, const kv::Block& whole);
  // Null: no sequence holds it, or it is the hot part of a block that the tier has lost.
  kv::SealedBlock block_in_memory(const store::Key& key, bool is_in_tier) const;
  bool is_in_tier(const store::RecordId& id);
  void remember(const store::Key& key, const kv::SealedBlock& block);
  static int64_t branch_of(int64_t known_blocks, int64_t resumed_blocks);

  std::shared_ptr<const kv::CacheLayout> layout_;
  std::shared_ptr<kv::MemoryAccount> account_;
  store::Key root_{};
  std::unique_ptr<store::StoreDirectory> directory_;
  store::BlockStore* store_ = nullptr;  // the directory's
  std::unique_ptr<store::Tier> tier_;   // that store: what is looked for, read and saved
  std::unique_ptr<Saver> saver_;        // null: the store is only read
  std::unique_ptr<Residency> residency_;
  // Blocks that some sequence holds. What only this table knows is gone.
  std::unordered_map<store::Key, std::weak_ptr<const kv::Block>, store::KeyHash> in_memory_;
  size_t sweep_size_ = 1024;
};

}  // namespace kvasir::persist
