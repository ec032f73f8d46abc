// An engine in memory that fails, hangs and waits as a test says.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "store/remote/endpoint.h"
#include "store/remote/object_client.h"

namespace kvasir::store::remote {

// A FakeEngine keeps objects as an engine does, and fails as it is told. Any thread.
class FakeEngine {
 public:
  using Name = std::pair<ObjectKind, Digest256>;
  static Name name_of(const ObjectName& name) { return {name.kind, name.hash}; }

  enum class Fault : uint8_t { kNone, kGone, kHung, kFull };

  std::atomic<Fault> fault = Fault::kNone;
  std::atomic<int64_t> bytes_per_s = 0;  // 0: without a limit
  std::atomic<int64_t> calls = 0;
  std::atomic<int64_t> reads_before_it_hangs = -1;  // objects; it goes on to answer probes. -1: all
  std::atomic<int64_t> reads_before_one_fails = -1;  // objects; that call fails. -1: none does
  // A call of the kind waits until it is false, and is notified.
  std::atomic<bool> holds_probes = false, holds_reads = false, holds_writes = false;
  std::atomic<bool> fails_writes = false;
  std::atomic<int64_t> probe_ms = 0, read_ms = 0;  // that a call takes
  std::atomic<int64_t> held_writes = 0;            // so far

  // All that was ever written, in that order.
  std::vector<Name> written() {
    const std::lock_guard lock(mutex_);
    return written_;
  }
  std::map<Name, std::vector<std::byte>> objects() {
    const std::lock_guard lock(mutex_);
    return objects_;
  }
  void set_objects(std::map<Name, std::vector<std::byte>> objects) {
    const std::lock_guard lock(mutex_);
    objects_ = std::move(objects);
  }
  // It goes on to say that it has them, until they are written over. What reads of them answer:
  // kUnreadable, or kMissing, and then they can be written without writing over them.
  void lose(std::set<Name> names, ReadOutcome answer = ReadOutcome::kUnreadable) {
    const std::lock_guard lock(mutex_);
    lost_ = std::move(names);
    lost_answer_ = answer;
  }
  void lose_all(ReadOutcome answer = ReadOutcome::kUnreadable) {
    std::set<Name> names;
    for (const auto& [name, bytes] : objects()) names.insert(name);
    lose(std::move(names), answer);
  }
  int64_t count(ObjectKind kind) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count_if(objects_,
                                 [&](const auto& one) { return one.first.first == kind; });
  }
  std::unique_ptr<ObjectClient> client();
  // As many connections as a test needs.
  std::unique_ptr<Endpoint> endpoint(const EngineTraits& traits, int connections = 4) {
    return std::make_unique<Endpoint>(
        "fake", traits, connections, [this] { return client(); }, 1);
  }

 private:
  friend class FakeClient;
  std::mutex mutex_;
  std::map<Name, std::vector<std::byte>> objects_;
  std::set<Name> lost_;
  ReadOutcome lost_answer_ = ReadOutcome::kUnreadable;
  std::vector<Name> written_;
};

class FakeClient : public ObjectClient {
 public:
  explicit FakeClient(FakeEngine& engine) : engine_(engine) {}

  Result<std::vector<bool>> probe(std::span<const ObjectName> names, Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    engine_.holds_probes.wait(true);
    std::this_thread::sleep_for(std::chrono::milliseconds(engine_.probe_ms));
    const std::lock_guard lock(engine_.mutex_);
    std::vector<bool> is_there;
    for (const ObjectName& name : names) {
      is_there.push_back(engine_.objects_.contains(FakeEngine::name_of(name)));
    }
    return is_there;
  }

  Status read(std::span<ObjectRead> reads, Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    engine_.holds_reads.wait(true);
    std::this_thread::sleep_for(std::chrono::milliseconds(engine_.read_ms));
    for (ObjectRead& read : reads) {
      if (engine_.reads_before_it_hangs == 0) return hang(deadline);
      if (engine_.reads_before_it_hangs > 0) --engine_.reads_before_it_hangs;
      const bool may_fail = engine_.reads_before_one_fails >= 0;
      if (may_fail && engine_.reads_before_one_fails-- == 0) return failure();
      KVASIR_RETURN_IF_ERROR(pass(std::ssize(read.into), deadline));
      const std::lock_guard lock(engine_.mutex_);
      const auto found = engine_.objects_.find(FakeEngine::name_of(read.name));
      if (found == engine_.objects_.end()) {
        read.outcome = ReadOutcome::kMissing;
        continue;
      }
      if (engine_.lost_.contains(found->first)) {
        read.outcome = engine_.lost_answer_;
        continue;
      }
      const std::vector<std::byte>& bytes = found->second;
      const int64_t end = read.offset_bytes + std::ssize(read.into);
      const bool fits = read.is_whole ? end == std::ssize(bytes) : end <= std::ssize(bytes);
      read.outcome = fits ? ReadOutcome::kRead : ReadOutcome::kWrongLength;
      if (fits) std::copy_n(bytes.begin() + read.offset_bytes, read.into.size(), read.into.begin());
    }
    return ok_status();
  }

  Status write(std::span<ObjectWrite> writes, Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    if (engine_.holds_writes) ++engine_.held_writes;
    engine_.holds_writes.wait(true);
    if (engine_.fails_writes) return failure();
    for (ObjectWrite& write : writes) {
      if (engine_.fault == FakeEngine::Fault::kFull) {
        write.outcome = WriteOutcome::kNoRoom;
        continue;
      }
      const std::lock_guard lock(engine_.mutex_);
      const FakeEngine::Name name = FakeEngine::name_of(write.name);
      const bool is_gone =
          engine_.lost_answer_ == ReadOutcome::kMissing && engine_.lost_.contains(name);
      const bool is_new = write.replaces || is_gone || !engine_.objects_.contains(name);
      write.outcome = is_new ? WriteOutcome::kWritten : WriteOutcome::kPresent;
      if (!is_new) continue;
      engine_.objects_[name].assign(write.bytes.begin(), write.bytes.end());
      engine_.lost_.erase(name);
      engine_.written_.push_back(name);
    }
    return ok_status();
  }

  Status touch(std::span<const ObjectName> names, int64_t ttl_s, Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    const std::lock_guard lock(engine_.mutex_);
    return names.empty() || ttl_s < 0 ? Status(failure()) : ok_status();
  }

  Status remove(std::span<const ObjectName> names, Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    const std::lock_guard lock(engine_.mutex_);
    for (const ObjectName& name : names) engine_.objects_.erase(FakeEngine::name_of(name));
    return ok_status();
  }

  Result<Listing> list(const std::string& /*cursor*/, Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    Listing listing;
    const std::lock_guard lock(engine_.mutex_);
    for (const auto& [name, bytes] : engine_.objects_) {
      listing.objects.push_back({{name.first, name.second}, std::ssize(bytes)});
    }
    return listing;
  }

  Result<EngineFacts> look(Deadline deadline) override {
    KVASIR_RETURN_IF_ERROR(begin(deadline));
    return EngineFacts{.version = "fake"};
  }

 private:
  static Error failure() { return {.kind = ErrorKind::kIo, .what = "the engine is gone"}; }

  Status begin(Deadline deadline) {
    ++engine_.calls;
    if (engine_.fault == FakeEngine::Fault::kGone) return failure();
    return engine_.fault == FakeEngine::Fault::kHung ? hang(deadline) : ok_status();
  }
  static Status hang(Deadline deadline) {
    std::this_thread::sleep_until(std::min(deadline, Clock::now() + LinkLimits{}.first_byte));
    return failure();
  }
  Status pass(int64_t bytes, Deadline deadline) const {
    const int64_t rate = engine_.bytes_per_s;
    if (rate == 0) return ok_status();
    const auto end = Clock::now() + std::chrono::microseconds(bytes * 1'000'000 / rate);
    std::this_thread::sleep_until(std::min(end, deadline));
    return end <= deadline ? ok_status() : Status(failure());
  }

  FakeEngine& engine_;
};

inline std::unique_ptr<ObjectClient> FakeEngine::client() {
  return std::make_unique<FakeClient>(*this);
}

}  // namespace kvasir::store::remote
