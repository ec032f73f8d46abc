// A WriteBack writes chains of the own store to one engine, on a thread of its own: nobody waits
// for it, and what cannot be written is computed again elsewhere.
//
// It is told where texts end, and reads what is to be written from the own store; so nothing is
// kept in memory for it, and what the store has evicted meanwhile is left out. A chain is written
// front to back, and the state at its end last: who finds a state finds its blocks. A chain is
// admitted when it has enough new tokens, when it goes on from the end of one that was written,
// when it is offered a second time, or when somebody wants it. What is wanted goes first: behind
// the call that is under way, and before what else waits, the rest of a chain that was begun too.
// Any thread may call. The own store and the endpoint must outlive it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kvasir/remote.h"
#include "kvasir/result.h"
#include "store/block_store.h"
#include "store/remote/endpoint.h"
#include "store/remote/expiring_set.h"
#include "store/remote/negative_cache.h"
#include "store/remote/parts.h"

namespace kvasir::store::remote {

// How long an engine that has such times keeps a record after its last use.
inline constexpr int64_t kKeptS = int64_t{7} * 24 * 3600;

// Where a text ends that may be written: behind which block of the own store.
struct ChainEnd {
  Key key{};
  PayloadSizes sizes;
};

class WriteBack {
 public:
  static constexpr size_t kQueuedMax = 256;  // of those that are offered, and of those wanted

  WriteBack(BlockStore& own, Endpoint& endpoint, const ObjectNames& names, const Envelope& envelope,
            NegativeCache& negatives, int64_t new_tokens_min);
  // Ends after the call that is under way.
  ~WriteBack();

  // A text ends here that may be written. The newest is dropped when too many wait.
  void offer(const ChainEnd& end);
  // It is wanted: written next, whatever its length. Returns its number; 0: it was dropped.
  uint64_t write_now(const ChainEnd& end);
  // Whether that one was written, or has failed.
  bool is_done(uint64_t number) const;
  // Waits until what was asked for so far is written or has failed. False: the deadline came first.
  bool flush(Deadline deadline);

  void add_to(RemoteMetrics& metrics) const;

 private:
  struct Job {
    ChainEnd end;
    bool is_wanted = false;
    uint64_t number = 0;
    bool was_begun = false;  // and so admitted
  };

  void run(const std::stop_token& stop);
  uint64_t push(const ChainEnd& end, bool is_wanted);
  // REQUIRES: the lock, and a job that waits.
  Job take();
  // False: what is wanted came between, and the rest of it is still to be written.
  bool write(const Job& job, const std::stop_token& stop);
  bool has_wanted() const;
  bool is_admitted(const Job& job, const Chain& chain, int64_t known_blocks);
  // How many of the chain's first blocks the engine is known to have.
  int64_t known_blocks_of(std::span<const Part> parts) const;
  // The chain that ends there, as far as the store has it from the first block on. None: not whole.
  std::optional<Chain> chain_of(const ChainEnd& end) const;
  // Returns what of the chain the engine may lack, in the order in which it is written.
  std::vector<Part> parts_of(const Chain& chain) const;
  // Those that the engine has not, or has lost. None: it does not answer, or what is wanted comes
  // first, or the end.
  std::optional<std::vector<Part>> missing_of(std::vector<Part> parts, bool is_wanted,
                                              const std::stop_token& stop);
  // Returns whether it wrote all, as write() does. Error: one could not be read or written, so
  // nothing that hangs on it is written.
  Result<bool> write_all(std::span<const Part> parts, bool is_wanted, const std::stop_token& stop);
  // What becomes of an object that the engine says it has, or has lost, once it was looked at.
  enum class Finding : uint8_t { kGood, kMissing, kInDoubt };
  Finding look_at(const Part& part);
  // Reads so many bytes of its beginning.
  ReadOutcome read_now(const Part& part, int64_t bytes);
  Status write_parts(std::span<const Part> parts);
  Status fill(const Part& part, std::span<std::byte> place);
  Status fill_record(const PartRecord& record, std::span<std::byte> place);

  BlockStore& own_;
  Endpoint& endpoint_;
  const ObjectNames& names_;
  const Envelope& envelope_;
  NegativeCache& negatives_;
  const int64_t new_tokens_min_;
  // The thread's: what the engine had. It forgets them, because engines evict.
  ExpiringSet<ObjectName, ObjectNameHash> known_{std::chrono::minutes(10), 65536};
  std::unordered_map<Key, int, KeyHash> offered_;  // the thread's; how often, and not admitted
  std::unordered_set<Key, KeyHash> ends_;          // the thread's; of chains that were written

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<Job> offers_;
  std::deque<Job> wanted_;
  uint64_t newest_number_ = 0;
  std::set<uint64_t> not_done_;  // numbers of those that wait, and of the one under way
  int64_t written_chains_ = 0;
  int64_t dropped_chains_ = 0;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace kvasir::store::remote
