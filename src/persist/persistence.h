// A Persistence finds the longest prefix of some tokens that a sequence can continue from, and
// saves what sequences compute. It is the one place where kv/ meets store/.
//
// It owns the open store and the thread that writes to it. One thread calls it, as the engine is
// called. It must outlive the recorders it hands out.
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
#include "persist/leases.h"
#include "persist/prefix_chain.h"
#include "persist/recorder.h"
#include "persist/residency.h"
#include "persist/sink.h"
#include "store/key.h"

namespace kvasir::store {
class BlockStore;
class StoreDirectory;
class Tier;
namespace remote {
class Fetch;
}
}  // namespace kvasir::store

namespace kvasir::persist {

class HotParts;
class ProjectPins;
class RemoteChains;
class Saver;

struct Resumed {
  kv::Sequence sequence;  // empty when nothing was found
  Recorder recorder;
  int64_t shared_tokens = 0;  // of the sequence, in blocks that other sequences hold too
};

// An Appending is one sequence of a pass and how many tokens it gets.
struct Appending {
  kv::Sequence* sequence = nullptr;
  Recorder* recorder = nullptr;  // the sequence's
  int64_t token_count = 0;
};

class Persistence : private Sink {
 public:
  // A store that cannot be written is only read, and notes() say so. Error: it cannot be opened at
  // all, or a block or a state of this layout is larger than a record may be.
  static Result<std::unique_ptr<Persistence>> open(const StoreOptions& options,
                                                   const CacheIdentity& identity,
                                                   std::shared_ptr<const kv::CacheLayout> layout,
                                                   std::shared_ptr<kv::MemoryAccount> account);

  ~Persistence() override;

  // Returns what the chains of sessions with that salt begin with; empty: the store's own.
  store::Key root_of(std::string_view salt) const { return session_root(root_, salt); }

  // Returns a sequence that holds the longest prefix of `tokens`, of at most length_max tokens, for
  // which all blocks and the state at its end are there. Where a layout has no states, all blocks
  // are enough. Damage makes the prefix shorter, never wrong. Error: no memory, or the RAM budget
  // would be passed.
  Result<Resumed> resume(const store::Key& root, std::span<const int32_t> tokens,
                         int64_t length_max);

  // Returns how many tokens resume would begin with as far as the index knows; damage may make it
  // fewer.
  int64_t resumable_tokens(const store::Key& root, std::span<const int32_t> tokens,
                           int64_t length_max);

  // Begins to bring into the store what the remote tier has of them, of at most length_max tokens,
  // beyond what the store has. Whoever waits for it resumes then. Null: there is nothing to bring,
  // or no remote tier.
  std::shared_ptr<store::remote::Fetch> begin_fetch(const store::Key& root,
                                                    std::span<const int32_t> tokens,
                                                    int64_t length_max);
  // Null: there is no remote tier.
  RemoteChains* remote() { return remote_.get(); }

  // Keeps what the tokens begin with from being evicted. Error: as ProjectPins::keep; for a time,
  // kNoRoom.
  Status keep(const store::Key& root, std::span<const int32_t> tokens, const Keep& keep);

  // Returns when everything handed over for saving is written or has failed.
  void drain();
  // Returns the first failure to save since the last call, if there was one.
  std::optional<Error> take_error();

  // Limits the RAM of the cache from now on. Error: no memory to read cold rows into.
  Status set_ram_budget(const ResidencyOptions& options);
  // Null: there is no budget.
  Residency* residency() { return residency_.get(); }
  // Makes room within the budget for a pass, all its sequences at once; to be called before each.
  // Error: the budget is too small for them (kNoRoom); nothing was appended.
  Status make_room(std::span<const Appending> pass);
  // Frees up to that many bytes of cold rows for a sequence that is never refused: an empty one, or
  // a fork. Its next pass may be refused.
  void make_way(int64_t bytes);

  // Reads all blocks that the store has of these tokens; damaged ones are found no more. Error: no
  // memory to read into.
  Status verify(const store::Key& root, std::span<const int32_t> tokens);

  bool saves() const override { return saver_ != nullptr; }
  std::vector<Error> notes() const;
  StoreMetrics metrics() const;
  store::BlockStore& store() { return *store_; }

 private:
  Persistence(std::shared_ptr<const kv::CacheLayout> layout,
              std::shared_ptr<kv::MemoryAccount> account);

  Status open_remote(const StoreOptions& options, const CacheIdentity& identity);
  void save(SaveJob job) override;
  Result<kv::Block> new_state() override;
  store::Hold hold(const store::Key& key) override;

  Result<Resumed> resume_nothing(const store::Key& root, int64_t branch_tokens);
  // Blocks and states that are known for a chain of keys.
  struct Known {
    // Returns how many of the first `count` blocks are in memory.
    int64_t count_in_memory(int64_t count) const;

    int64_t blocks = 0;                      // from the first on, in memory or in the tier
    std::vector<bool> in_tier;               // [keys] blocks
    std::vector<bool> state_at;              // [keys] states to go on from
    std::vector<kv::SealedBlock> in_memory;  // [blocks] null: it has to be read
  };
  Known find_known(std::span<const store::Key> keys);
  // How many of these blocks a sequence can go on behind, as far as the index knows.
  int64_t resumable_blocks(std::span<const store::Key> keys);
  // Reads records, many at a time. Error: no memory.
  struct Incoming {
    store::RecordId id;
    int64_t payload_bytes = 0;
    int64_t head_bytes = 0;  // less: that much is wanted now, the rest piece by piece
    kv::Block payload;
    bool is_right = false;  // it was read and proven
  };
  Status fetch(std::span<Incoming> incoming);
  // Adds to `blocks`, which hold a beginning of the prefix, all others up to its end or to the
  // first that is missing. Returns the state at the prefix's end, if it is there.
  Result<std::optional<kv::Block>> load(std::span<const store::Key> prefix, const Known& known,
                                        std::vector<kv::SealedBlock>& blocks);
  // Lists the records that `blocks` lack, the state first where the layout has one. `places` get
  // the positions of the others in `blocks`.
  std::vector<Incoming> missing_of(std::span<const store::Key> prefix, const Known& known,
                                   std::vector<kv::SealedBlock>& blocks,
                                   std::vector<size_t>& places);
  Status choose_parts(std::span<Incoming> blocks, int64_t token_count);
  Status release_and_give_rest(std::span<const Appending> pass, const Ticket& ticket);
  void release_cold_parts(kv::Sequence& sequence, std::span<const store::Key> keys);
  RecordSizes record_sizes() const;
  // Null: the store does not have the block (yet).
  kv::SealedBlock hot_part_of(const store::Key& key, const kv::Block& whole);
  // Those that a remote tier brings before the rest of these blocks. Null: blocks come whole.
  std::shared_ptr<HotParts> hot_parts_for(std::span<const store::Key> keys, int64_t have_blocks);
  void remember_hot_parts();
  void drop_hot_parts();
  static bool is_late(const kv::Block& block);
  // Counts those that a remote tier has brought for this sequence.
  static int64_t count_first_uses(std::span<const kv::SealedBlock> blocks);
  // Null: no sequence holds it, or it is the hot part of a block that the tier has lost.
  kv::SealedBlock block_in_memory(const store::Key& key, bool is_in_tier) const;
  bool is_in_tier(const store::RecordId& id);
  void remember(const store::Key& key, const kv::SealedBlock& block);
  static int64_t branch_of(int64_t known_blocks, int64_t resumed_blocks);

  std::shared_ptr<const kv::CacheLayout> layout_;
  std::shared_ptr<kv::MemoryAccount> account_;
  store::Key root_{};  // of sessions without a salt
  std::unique_ptr<store::StoreDirectory> directory_;
  store::BlockStore* store_ = nullptr;    // the directory's
  std::unique_ptr<store::Tier> tier_;     // that store: what is looked for, read and saved
  std::unique_ptr<RemoteChains> remote_;  // null: there is none
  std::unique_ptr<Saver> saver_;          // null: the store is only read
  std::unique_ptr<Leases> leases_;
  std::unique_ptr<ProjectPins> projects_;
  std::unique_ptr<Residency> residency_;
  std::vector<std::weak_ptr<HotParts>> hot_parts_;  // of sequences that may begin soon
  // Blocks that some sequence holds. The table itself keeps no block in memory.
  std::unordered_map<store::Key, std::weak_ptr<const kv::Block>, store::KeyHash> in_memory_;
  size_t sweep_size_ = 1024;
};

}  // namespace kvasir::persist
