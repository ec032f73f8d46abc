#include "persist/saver.h"

#include <chrono>
#include <utility>

#include "base/check.h"

namespace kvasir::persist {
namespace {

// The tier is asked this often whether a sync is due.
constexpr std::chrono::milliseconds kSyncCheckInterval(250);

}  // namespace

Saver::Saver(store::Tier& tier, const Digest256& model, Written written)
    : tier_(tier),
      model_(model),
      written_(std::move(written)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Saver::~Saver() {
  drain();
  thread_.request_stop();
  changed_.notify_all();
}

void Saver::save(SaveJob job) {
  const bool is_block = job.id.kind == store::Kind::kBlock;
  KVASIR_CHECK(job.payload && job.payload->size() <= store::kPayloadBytesMax, "bytes of a record");
  KVASIR_CHECK(std::ssize(job.tokens) == (is_block ? kv::kBlockTokens : 0), "a block's tokens");
  KVASIR_CHECK(!job.payload->cold_part, "all bytes of a block");
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queued_bytes_ < kQueuedBytesMax; });
  queued_bytes_ += job.payload->size();
  queue_.push_back(std::move(job));
  changed_.notify_all();
}

void Saver::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !is_writing_; });
}

std::optional<Error> Saver::take_error() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, std::nullopt);
}

void Saver::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait_for(lock, stop, kSyncCheckInterval, [this] { return !queue_.empty(); });
    if (queue_.empty()) {
      if (stop.stop_requested()) return;
      lock.unlock();
      Status synced = tier_.sync_if_due();
      lock.lock();
      if (!synced.ok() && !error_) error_ = std::move(synced).error();
      continue;
    }
    SaveJob job = std::move(queue_.front());
    queue_.pop_front();
    is_writing_ = true;
    lock.unlock();
    write(job);
    const int64_t payload_bytes = job.payload->size();
    // Its memory is freed before it counts as written: callers of drain() rely on both.
    job = {};
    lock.lock();
    is_writing_ = false;
    queued_bytes_ -= payload_bytes;
    changed_.notify_all();
  }
}

void Saver::write(const SaveJob& job) {
  // A record without its parent cannot be found. If the parent was not saved, this one is not.
  const bool is_first = job.id.kind == store::Kind::kBlock && job.token_begin == 0;
  const store::RecordId parent{store::Kind::kBlock, job.parent};
  if (!is_first && !store::find_now(tier_, {&parent, 1}, store::kNoDeadline)[0]) return;
  const auto outcome = tier_.put({.id = job.id,
                                  .parent = job.parent,
                                  .model = model_,
                                  .token_begin = job.token_begin,
                                  .tokens = job.tokens},
                                 {job.payload->data(), static_cast<size_t>(job.payload->size())});
  if (outcome.ok()) {
    if (written_ && *outcome != store::PutOutcome::kNoRoom) written_(job);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = outcome.error();
}

}  // namespace kvasir::persist
