// Recorder: what one sequence hands to the store as it grows: each block once it is sealed, states
// where it may be continued later. Belongs to one sequence; a copy belongs to its fork. Used by the
// thread that uses the sequence.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kv/block.h"
#include "kv/sequence.h"
#include "persist/sink.h"
#include "store/block_store.h"
#include "store/key.h"

namespace kvasir::persist {

class Recorder {
 public:
  // For a sequence whose whole blocks have these keys and are all in the store. branch_tokens:
  // where other tokens followed earlier, a boundary worth a state; 0: nowhere ahead.
  // The sink outlives it.
  Recorder(Sink& sink, store::Key root, std::vector<store::Key> keys, int64_t branch_tokens);

  // Of the sequence's whole blocks.
  std::span<const store::Key> keys() const { return keys_; }

  // Where a pass over tokens [begin, end) must end at the latest, so that no state that will be
  // wanted is run over: the last boundary short of `end`, or an earlier one that is kept anyway.
  int64_t pass_end(int64_t begin, int64_t end) const;

  // Before every pass: the memory for the state at its end, empty where none will be taken. Error:
  // there is none; nothing was appended yet.
  Result<kv::Block> state_memory(const kv::Sequence& sequence, int64_t token_count);
  // After every pass, with the memory it was begun with.
  void after_pass(const kv::Sequence& sequence, kv::Block state_memory);

  // What the store had may have been damaged since: it gets the blocks that are here whole again.
  void save_whole_blocks(const kv::Sequence& sequence);

  // The end of a prompt or of an answer: the newest boundary's state goes to the store.
  void mark_resumable();

 private:
  struct State {
    kv::SealedBlock bytes;  // null: none
    int64_t tokens = 0;
    bool is_saved = false;
  };

  bool takes_state_at(int64_t length) const;
  static std::span<const int32_t> tokens_of(const kv::Sequence& sequence, int64_t block);
  const store::Key& parent_of(int64_t block) const;
  void add_block(const kv::Sequence& sequence, int64_t block);
  void save_block(const kv::Sequence& sequence, int64_t block);
  void take_state(const kv::Sequence& sequence, kv::Block memory);
  void save_state(State& state);

  Sink* sink_;
  store::Key root_;
  std::vector<store::Key> keys_;
  int64_t branch_tokens_;
  State newest_;
  // The one before, while the sequence ends right at the newest: asked for the same tokens again, a
  // resume has to compute the last of them.
  State before_;
  int64_t kept_tokens_;  // where the newest state that is in the store stands
  // What a live sequence stands on is not evicted under it.
  std::optional<store::Hold> tip_;  // the newest of keys_
};

}  // namespace kvasir::persist
