// A Recorder hands the blocks and states of one sequence to a Sink as the sequence grows: each
// block once it is sealed, and a state where the sequence may be continued later.
//
// It belongs to one sequence; a copy belongs to its fork. The thread that uses the sequence uses
// it. The sink must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kv/block.h"
#include "kv/sequence.h"
#include "persist/sink.h"
#include "store/hold.h"
#include "store/key.h"

namespace kvasir::persist {

class Recorder {
 public:
  // Records a sequence whose whole blocks have these keys and are all in the store. branch_tokens:
  // a boundary after which another text went on earlier, so that a state is worth keeping there; 0:
  // there is none ahead.
  Recorder(Sink& sink, store::Key root, std::vector<store::Key> keys, int64_t branch_tokens);

  // Returns the keys of the sequence's whole blocks.
  std::span<const store::Key> keys() const { return keys_; }

  // Returns where a pass over tokens [begin, end) must end, so that it does not run past a boundary
  // whose state will be wanted: the last one before `end`, or an earlier one whose state is kept.
  // Examples, for a new sequence: [0, 1000) ends at 896 = 7 blocks, and [896, 1000) at 1000.
  // [0, 10000) ends at 4096, where every text has a state: all that go through it share that one.
  int64_t pass_end(int64_t begin, int64_t end) const;

  // Returns the memory for the state at the end of a pass, empty where none will be taken; to be
  // called before each pass. Error: there is no memory; nothing was appended yet.
  Result<kv::Block> state_memory(const kv::Sequence& sequence, int64_t token_count);
  // Hands over what a pass has made; to be called after each, with the memory it began with.
  void after_pass(const kv::Sequence& sequence, kv::Block state_memory);

  // Hands over all whole blocks once more, because the store's copies may have been damaged since.
  void save_whole_blocks(const kv::Sequence& sequence);

  // Hands over the state of the newest boundary; to be called at the end of a prompt or an answer.
  void mark_resumable();
  // How many blocks lie before the newest state that was handed over.
  int64_t resumable_blocks() const { return kept_tokens_ / kv::kBlockTokens; }

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
  // The state before the newest, while the sequence ends right at the newest boundary. A resume
  // with the same tokens computes the last of them, so it begins here.
  State before_;
  int64_t kept_tokens_;  // where the newest state that is in the store stands
  // Keeps the blocks of a live sequence from being evicted.
  std::optional<store::Hold> tip_;  // the newest of keys_
};

}  // namespace kvasir::persist
