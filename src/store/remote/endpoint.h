// An Endpoint is one engine as the tier uses it: some connections with a thread each, one breaker
// for all of them, and what was counted. Writes have a breaker besides, because an engine that is
// full may leave them without an answer and read as well as ever.
//
// Calls come back through `done`, once each, on a thread of the endpoint, or before the call
// returns where the breaker is open. Writes, touches and removals are made one at a time, and none
// is begun while a call is queued that somebody waits for. Nothing is connected before the first
// call. Any thread may call. The destructor waits for calls under way, which their deadlines
// and the link's limits bound; those in the queue are done with kInterrupted.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/aligned_buffer.h"
#include "kvasir/remote.h"
#include "store/remote/breaker.h"
#include "store/remote/hedge_rule.h"
#include "store/remote/object_client.h"
#include "store/remote/unreadable_objects.h"

namespace kvasir::store::remote {

// What differs between kinds of engines in how they are used.
struct EngineTraits {
  int64_t probes_max = 1;  // names that one call asks for
  bool is_packed = false;  // consecutive blocks lie in one object
  bool has_ttl = false;
  // What it fails to read twice, so far apart at least, is lost (UnreadableObjects).
  std::chrono::milliseconds doubt{5000};
};

// A ReadBatch is read with one call; its memory is its own, so that whoever asked for it may go.
struct ReadBatch {
  AlignedBuffer<std::byte> memory;
  std::vector<ObjectRead> reads;  // into parts of `memory`
  bool is_check = false;          // of what may be lost: that it is says nothing of other objects
};

struct WriteBatch {
  AlignedBuffer<std::byte> memory;
  std::vector<ObjectWrite> writes;  // parts of `memory`
};

class Endpoint {
 public:
  // Null: a client cannot be made now.
  using ClientFactory = std::function<std::unique_ptr<ObjectClient>()>;
  using Probed = std::function<void(const Result<std::vector<bool>>& is_there)>;
  using Done = std::function<void(const Status& status)>;

  // seed: of the breaker's random waits.
  Endpoint(std::string label, const EngineTraits& traits, int connections, ClientFactory factory,
           uint64_t seed);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const std::string& label() const { return label_; }
  const EngineTraits& traits() const { return traits_; }
  int connections() const { return static_cast<int>(threads_.size()); }

  void probe(std::vector<ObjectName> names, Deadline deadline, Probed done);
  void read(std::shared_ptr<ReadBatch> batch, Deadline deadline, Done done);
  void write(std::shared_ptr<WriteBatch> batch, Deadline deadline, Done done);
  void touch(std::vector<ObjectName> names, int64_t ttl_s, Deadline deadline, Done done);
  void remove(std::vector<ObjectName> names, Deadline deadline, Done done);

  // False: it is full or fails writes, and none will be tried for a while.
  bool takes_writes() const;
  // It has failed to read that object (UnreadableObjects). One that is lost counts as missing for
  // probes, and is replaced by writes. An engine of which twenty calls for ever other objects bring
  // none is closed off.
  bool is_doubtful(const ObjectName& name) const {
    return unreadable_.is_doubtful(name, Clock::now());
  }
  bool is_lost(const ObjectName& name) const { return unreadable_.is_lost(name, Clock::now()); }
  // It failed, and is only tried now and then.
  bool is_closed_off() const { return breaker_.is_open(); }
  // When another engine is asked for what this one was.
  HedgeRule& hedges() { return hedges_; }
  // An object under that name was not what the name says: it is removed, once, and an engine that
  // does so three times in a minute is closed off.
  void report_wrong_bytes(const ObjectName& name);
  // Objects were not there that a probe had said were.
  void count_missing(int64_t objects);

  RemoteEndpointMetrics metrics() const;
  // What a person should know of the engine: settings with which it serves badly, wrong answers.
  std::vector<Error> notes() const;

 private:
  struct Call {
    RemoteOperation operation;
    Deadline deadline;
    std::function<Status(ObjectClient&)> work;
    Done done;
  };

  static bool is_background(RemoteOperation operation);
  void run(Call call);
  void try_again();
  void serve(const std::stop_token& stop);
  // Takes the next call that may be made now. REQUIRES: the lock.
  bool take(Call& call);
  // client: null where none could be made.
  void make(const Call& call, ObjectClient* client);
  void count(const Call& call, const Status& status, double seconds);
  void take_outcomes(const ReadBatch& batch);
  void take_outcomes(std::span<const ObjectWrite> writes);
  void look_once(ObjectClient& client);

  const std::string label_;
  const EngineTraits traits_;
  const ClientFactory factory_;
  Breaker breaker_;
  Breaker write_breaker_;
  HedgeRule hedges_;
  UnreadableObjects unreadable_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<Call> waited_for_;
  std::deque<Call> background_;
  int background_running_ = 0;
  int64_t unreadable_in_a_row_ = 0;  // calls for objects that had not failed before
  bool ends_ = false;
  bool is_trying_ = false;  // whether it works again
  bool was_looked_at_ = false;
  bool was_refused_ = false;
  Deadline writes_again_at_{};
  std::deque<Deadline> wrong_at_;  // the newest few
  std::vector<Error> notes_;
  RemoteEndpointMetrics metrics_;

  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace kvasir::store::remote
