// A Fetch brings what engines have of a chain into the own store, behind what that has already:
// front to back, each record proven first. It is in a race with computing the same tokens, and
// gives up when that would be faster; what came in order until then is kept.
//
// HOT PARTS FIRST. Where memory takes only the first bytes of blocks anyway, these come first, and
// the Fetch is done once they and a state are there: of a long text of a model that picks its rows,
// a seventh of the bytes. The blocks come whole in the background; until then what else is wanted
// of them is read from the engine (LateBlocks).
//
// Whoever wants the tokens holds the Fetch until a sequence holds them; until then the store keeps
// what was brought. Any thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "store/hold.h"
#include "store/piece_source.h"
#include "store/remote/chain.h"
#include "store/remote/late_blocks.h"
#include "store/remote/object_client.h"

namespace kvasir::store::remote {

// The least that an engine is waited for, whatever computing would take.
inline constexpr std::chrono::milliseconds kPatienceMin(50);

// A HeadTaker gets the first bytes of blocks. The thread that brings them calls it.
class HeadTaker {
 public:
  virtual ~HeadTaker() = default;
  HeadTaker() = default;
  HeadTaker(const HeadTaker&) = delete;
  HeadTaker& operator=(const HeadTaker&) = delete;

  // head: proven, the wished number of bytes; `rest` and `late` say where the others are read until
  // the own store has the block. False: there is no memory.
  virtual bool take(std::span<const std::byte> head, PieceSource rest,
                    std::shared_ptr<LateBlocks> late) = 0;
  // No more of them come.
  virtual void end() = 0;
};

struct FetchWish {
  std::shared_ptr<const Chain> chain;
  int64_t have_blocks = 0;  // a sequence can go on from here without the engines
  double tokens_per_s = 0;  // computed; more than zero
  std::chrono::milliseconds patience_min = kPatienceMin;
  std::shared_ptr<HeadTaker> heads;  // null: blocks come whole
  int64_t head_bytes = 0;            // of a block that go to `heads` first
};

struct FetchReport {
  int64_t blocks = 0;       // how far a sequence can go on now
  int64_t round_trips = 0;  // waits for an answer, one after the other
  bool gave_up = false;
};

class Fetch {
 public:
  explicit Fetch(FetchWish wish) : wish_(std::move(wish)), begun_at_(Clock::now()) {}

  const FetchWish& wish() const { return wish_; }
  // When it has to be done if the engines have so many blocks: after half of the time in which
  // their tokens could be computed, patience_min at least, from its beginning on.
  Deadline deadline_for(int64_t blocks) const;
  // Later than this it is not done, whatever the engines have, or it is of no use any more.
  Deadline latest() const { return deadline_for(wish_.chain->block_count()); }

  bool is_done() const;
  // Returns whether it was done by then.
  bool wait_until(Deadline deadline) const;
  // REQUIRES: is_done().
  FetchReport report() const;
  // Nobody waits any more: no request is begun from now on.
  void give_up();
  bool is_given_up() const;

  // The thread that brings the records calls these three.
  void hold(BlockStore& store, const Key& key);
  void set_late(std::shared_ptr<LateBlocks> late);
  void finish(const FetchReport& report);
  // Null: all that came is in the own store.
  std::shared_ptr<LateBlocks> late() const;

 private:
  const FetchWish wish_;
  const Deadline begun_at_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::optional<FetchReport> report_;
  bool is_given_up_ = false;
  std::optional<Hold> tip_;  // the newest record that was brought, and all before it
  std::shared_ptr<LateBlocks> late_;
};

}  // namespace kvasir::store::remote
