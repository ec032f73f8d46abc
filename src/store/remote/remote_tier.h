// A RemoteTier keeps what the own store keeps where other servers find it, and brings from there
// what they have kept.
//
// The own store stands between: what arrives is put there, proven, and only then used; what is
// written is read from there. So a sequence never waits for an engine, and an engine that is slow,
// hung, full, gone or lying costs reuse and nothing else. It owns the endpoints and all threads.
// The own store must outlive it. Any thread may call.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "kvasir/remote.h"
#include "kvasir/result.h"
#include "store/block_store.h"
#include "store/remote/chain_fetcher.h"
#include "store/remote/endpoint.h"
#include "store/remote/envelope.h"
#include "store/remote/expiring_set.h"
#include "store/remote/fetch.h"
#include "store/remote/object_names.h"
#include "store/remote/write_back.h"

namespace kvasir::store::remote {

class RemoteTier {
 public:
  static constexpr int kFetchesAtATime = 4;

  // Connects to nothing yet. Error: a URL or the file of the secret (kUsage), as RemoteOptions
  // says.
  static Result<std::unique_ptr<RemoteTier>> open(BlockStore& own, const RemoteOptions& options);
  RemoteTier(BlockStore& own, std::vector<std::unique_ptr<Endpoint>> endpoints,
             std::vector<std::byte> secret, const RemoteOptions& options);
  // Gives up what is being fetched, and ends after the calls under way.
  ~RemoteTier();

  // Begins to bring what the engines have of a chain. Who wants the same while it is under way gets
  // the same Fetch.
  std::shared_ptr<Fetch> fetch(FetchWish wish);

  // A text ends here that may be written.
  void offer(const ChainEnd& end);
  // It is to be written now, because another server may go on with it.
  using Ticket = std::vector<uint64_t>;  // of each engine
  Ticket write_now(const ChainEnd& end);
  // Whether it was written everywhere, or has failed.
  bool is_done(const Ticket& ticket) const;
  // Waits until what was asked for so far is written, or has failed. False: the deadline came
  // first.
  bool flush(Deadline deadline);

  // The first `blocks` of a chain were found in the own store: the engines keep them, too.
  void touch(const Chain& chain, int64_t blocks);

  RemoteMetrics metrics() const;
  // What a person should know of the engines.
  std::vector<Error> notes() const;

 private:
  void run_fetches(const std::stop_token& stop);
  void bring_rests(const std::stop_token& stop);

  BlockStore& own_;
  const ObjectNames names_;
  const Envelope envelope_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<NegativeCache>> negatives_;  // of each
  std::vector<std::unique_ptr<WriteBack>> writers_;        // to each
  ChainFetcher fetcher_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<std::shared_ptr<Fetch>> queue_;
  std::deque<std::shared_ptr<Fetch>> rests_;  // done; the first is being brought whole
  // Those that are not done, by the block that they begin with.
  std::unordered_map<Key, std::weak_ptr<Fetch>, KeyHash> under_way_;
  // Ends of chains: each is touched once a minute.
  ExpiringSet<Key, KeyHash> touched_{std::chrono::seconds(60), 4096};

  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace kvasir::store::remote
