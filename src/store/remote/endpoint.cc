#include "store/remote/endpoint.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir {
namespace {

constexpr std::array<const char*, kRemoteOperationCount> kOperationNames = {
    "probe", "read", "write", "touch", "remove", "list"};

}  // namespace

const char* name_of(RemoteOperation operation) {
  return kOperationNames[static_cast<size_t>(operation)];
}

namespace store::remote {
namespace {

constexpr std::chrono::seconds kFullWait(60);
constexpr std::chrono::seconds kWrongSpan(60);
constexpr size_t kWrongMax = 3;         // in that span
constexpr int64_t kUnreadableMax = 20;  // calls, each for other objects
constexpr std::chrono::seconds kRemoveTime(5);
constexpr std::chrono::seconds kLookTime(2);

Histogram seconds_histogram() {
  return make_histogram(
      {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10});
}

Error closed_off(const std::string& label) {
  return Error{.kind = ErrorKind::kBusy,
               .what = "the remote engine failed and is left alone for a while",
               .where = label};
}

Error no_client(const std::string& label) {
  return Error{.kind = ErrorKind::kIo,
               .what = "cannot connect to the remote engine, for want of memory or of its files",
               .where = label};
}

Error not_begun(const std::string& label) {
  return Error{.kind = ErrorKind::kInterrupted,
               .what = "the time for a call was over before it began",
               .where = label};
}

}  // namespace

Endpoint::Endpoint(std::string label, const EngineTraits& traits, int connections,
                   ClientFactory factory, uint64_t seed)
    : label_(std::move(label)),
      traits_(traits),
      factory_(std::move(factory)),
      breaker_(seed),
      write_breaker_(seed + 1),
      unreadable_(traits.doubt) {
  KVASIR_CHECK(connections > 0, "a connection at least");
  metrics_.label = label_;
  metrics_.seconds.fill(seconds_histogram());
  threads_.reserve(static_cast<size_t>(connections));
  for (int i = 0; i < connections; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
  }
}

Endpoint::~Endpoint() {
  std::deque<Call> left;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    left.swap(waited_for_);
    std::ranges::move(background_, std::back_inserter(left));
    background_.clear();
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  changed_.notify_all();
  for (const Call& call : left) call.done(not_begun(label_));
  threads_.clear();
}

bool Endpoint::is_background(RemoteOperation operation) {
  return operation == RemoteOperation::kWrite || operation == RemoteOperation::kTouch ||
         operation == RemoteOperation::kRemove;
}

// Whether an engine that was closed off works again is found out by a call that nobody waits for.
void Endpoint::try_again() {
  const auto now = Clock::now();
  if (!breaker_.would_admit(now)) return;
  const std::lock_guard lock(mutex_);
  if (ends_ || is_trying_) return;
  is_trying_ = true;
  waited_for_.push_back({RemoteOperation::kProbe, now + kLookTime,
                         [](ObjectClient& client) -> Status {
                           KVASIR_RETURN_IF_ERROR(client.look(Clock::now() + kLookTime));
                           return ok_status();
                         },
                         [this](const Status&) {
                           const std::lock_guard done_lock(mutex_);
                           is_trying_ = false;
                         }});
  changed_.notify_one();
}

void Endpoint::run(Call call) {
  if (breaker_.is_open()) {
    try_again();
    return call.done(closed_off(label_));
  }
  {
    const std::lock_guard lock(mutex_);
    if (!ends_) {
      (is_background(call.operation) ? background_ : waited_for_).push_back(std::move(call));
      changed_.notify_one();
      return;
    }
  }
  call.done(not_begun(label_));
}

bool Endpoint::take(Call& call) {
  if (!waited_for_.empty()) {
    call = std::move(waited_for_.front());
    waited_for_.pop_front();
    return true;
  }
  if (background_.empty()) return false;
  call = std::move(background_.front());
  background_.pop_front();
  return true;
}

void Endpoint::serve(const std::stop_token& stop) {
  std::unique_ptr<ObjectClient> client;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto has_one = [this] {
      return !waited_for_.empty() || (!background_.empty() && background_running_ == 0);
    };
    if (!changed_.wait(lock, stop, has_one)) return;
    Call call;
    if (!take(call)) continue;
    const bool is_background_call = is_background(call.operation);
    background_running_ += is_background_call;
    lock.unlock();
    if (!client) client = factory_();
    make(call, client.get());
    call = {};
    lock.lock();
    background_running_ -= is_background_call;
    if (!background_.empty()) changed_.notify_one();
  }
}

void Endpoint::make(const Call& call, ObjectClient* client) {
  const auto begin = Clock::now();
  if (call.deadline <= begin) {
    {
      const std::lock_guard lock(mutex_);
      ++metrics_.deadline_exceeded;
    }
    return call.done(not_begun(label_));
  }
  const bool is_write = call.operation == RemoteOperation::kWrite;
  Breaker& breaker = is_write ? write_breaker_ : breaker_;
  const bool is_admitted = (!is_write || !breaker_.is_open()) && breaker.admit(begin);
  if (!is_admitted) return call.done(closed_off(label_));
  const Status status = client != nullptr ? call.work(*client) : Status(no_client(label_));
  const auto end = Clock::now();
  if (status.ok()) {
    breaker.succeeded();
  } else {
    breaker.failed(end);
  }
  count(call, status, std::chrono::duration<double>(end - begin).count());
  call.done(status);
  if (status.ok()) look_once(*client);
}

void Endpoint::count(const Call& call, const Status& status, double seconds) {
  const std::lock_guard lock(mutex_);
  metrics_.seconds[static_cast<size_t>(call.operation)].add(seconds);
  if (status.ok()) return;
  const bool is_late = status.error().kind == ErrorKind::kInterrupted;
  // An engine that does not know us will not learn to: somebody has to hear of it.
  const bool is_refusal = status.error().kind == ErrorKind::kUsage;
  if (is_refusal && !std::exchange(was_refused_, true)) notes_.push_back(status.error());
  ++(is_late ? metrics_.deadline_exceeded : metrics_.failures);
}

// The first connection that works asks what the engine says of itself, when nobody waits for it.
void Endpoint::look_once(ObjectClient& client) {
  {
    const std::lock_guard lock(mutex_);
    if (was_looked_at_ || !waited_for_.empty()) return;
    was_looked_at_ = true;
  }
  Result<EngineFacts> facts = client.look(Clock::now() + kLookTime);
  if (!facts.ok()) return;
  const std::lock_guard lock(mutex_);
  for (Error& advice : facts->advice) notes_.push_back(std::move(advice));
}

// ---- calls ----

void Endpoint::probe(std::vector<ObjectName> names, Deadline deadline, Probed done) {
  auto answer = std::make_shared<std::vector<bool>>();
  run({RemoteOperation::kProbe, deadline,
       [this, names = std::move(names), deadline, answer](ObjectClient& client) -> Status {
         KVASIR_ASSIGN_OR_RETURN(*answer, client.probe(names, deadline));
         KVASIR_CHECK(answer->size() == names.size(), "an answer for every name");
         for (size_t i = 0; i < names.size(); ++i) {
           if (unreadable_.is_lost(names[i], Clock::now())) (*answer)[i] = false;
         }
         return ok_status();
       },
       [answer, done = std::move(done)](const Status& status) {
         if (status.ok()) {
           done(std::move(*answer));
         } else {
           done(status.error());
         }
       }});
}

void Endpoint::read(std::shared_ptr<ReadBatch> batch, Deadline deadline, Done done) {
  run({RemoteOperation::kRead, deadline,
       [this, batch, deadline](ObjectClient& client) {
         const Status status = client.read(batch->reads, deadline);
         take_outcomes(*batch);
         return status;
       },
       std::move(done)});
}

// An engine that answers that it fails to read an object has answered: whoever asks for others is
// not kept from it, unless it fails to read any.
void Endpoint::take_outcomes(const ReadBatch& batch) {
  const auto now = Clock::now();
  bool has_new_failure = false, has_read = false;
  const std::lock_guard lock(mutex_);
  for (const ObjectRead& read : batch.reads) {
    if (read.outcome == ReadOutcome::kUnreadable) {
      ++metrics_.unreadable_objects;
      has_new_failure |= unreadable_.failed(read.name, now);
    }
    const bool is_gone = read.outcome == ReadOutcome::kMissing;
    if (is_gone || read.outcome == ReadOutcome::kWrongLength) unreadable_.forget(read.name);
    if (read.outcome != ReadOutcome::kRead) continue;
    has_read = true;
    ++metrics_.read_objects;
    metrics_.read_bytes += std::ssize(read.into);
    if (read.is_whole && read.offset_bytes == 0) unreadable_.forget(read.name);
  }
  if (has_read) unreadable_in_a_row_ = 0;
  if (has_read || !has_new_failure || batch.is_check) return;
  if (++unreadable_in_a_row_ >= kUnreadableMax) breaker_.open(now);
}

void Endpoint::write(std::shared_ptr<WriteBatch> batch, Deadline deadline, Done done) {
  run({RemoteOperation::kWrite, deadline,
       [this, batch, deadline](ObjectClient& client) {
         for (ObjectWrite& write : batch->writes) {
           write.replaces = unreadable_.is_lost(write.name, Clock::now());
         }
         const Status status = client.write(batch->writes, deadline);
         take_outcomes(batch->writes);
         return status;
       },
       std::move(done)});
}

void Endpoint::take_outcomes(std::span<const ObjectWrite> writes) {
  const std::lock_guard lock(mutex_);
  for (const ObjectWrite& write : writes) {
    if (write.outcome == WriteOutcome::kWritten) {
      ++metrics_.written_objects;
      metrics_.written_bytes += std::ssize(write.bytes);
      unreadable_.forget(write.name);
    } else if (write.outcome == WriteOutcome::kNoRoom) {
      ++metrics_.full_answers;
      writes_again_at_ = Clock::now() + kFullWait;
    }
  }
}

void Endpoint::touch(std::vector<ObjectName> names, int64_t ttl_s, Deadline deadline, Done done) {
  run({RemoteOperation::kTouch, deadline,
       [names = std::move(names), ttl_s, deadline](ObjectClient& client) {
         return client.touch(names, ttl_s, deadline);
       },
       std::move(done)});
}

void Endpoint::remove(std::vector<ObjectName> names, Deadline deadline, Done done) {
  run({RemoteOperation::kRemove, deadline,
       [names = std::move(names), deadline](ObjectClient& client) {
         return client.remove(names, deadline);
       },
       std::move(done)});
}

// ---- what it is like ----

bool Endpoint::takes_writes() const {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  return now >= writes_again_at_ && write_breaker_.would_admit(now);
}

void Endpoint::report_wrong_bytes(const ObjectName& name) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    ++metrics_.wrong_bytes;
    wrong_at_.push_back(now);
    while (wrong_at_.front() + kWrongSpan < now) wrong_at_.pop_front();
    if (wrong_at_.size() >= kWrongMax) {
      breaker_.open(now);
      if (notes_.empty() || notes_.back().kind != ErrorKind::kDamaged) {
        notes_.push_back(Error{.kind = ErrorKind::kDamaged,
                               .what = "the remote engine gives bytes that nobody wrote",
                               .where = label_,
                               .remedy = "none was used; look after its memory, disk and network"});
      }
    }
  }
  remove({name}, now + kRemoveTime, [](const Status&) {});
}

void Endpoint::count_missing(int64_t objects) {
  const std::lock_guard lock(mutex_);
  metrics_.missing_objects += objects;
}

RemoteEndpointMetrics Endpoint::metrics() const {
  const std::lock_guard lock(mutex_);
  RemoteEndpointMetrics metrics = metrics_;
  metrics.is_closed_off = breaker_.is_open();
  metrics.is_read_only = Clock::now() < writes_again_at_ || write_breaker_.is_open();
  metrics.closed_off_count = breaker_.openings();
  metrics.hedged_requests = hedges_.hedged_requests();
  metrics.won_hedges = hedges_.won_hedges();
  metrics.queued_calls = std::ssize(waited_for_) + std::ssize(background_);
  return metrics;
}

std::vector<Error> Endpoint::notes() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}

}  // namespace store::remote
}  // namespace kvasir
