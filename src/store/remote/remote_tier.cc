#include "store/remote/remote_tier.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

constexpr std::chrono::seconds kTouchTime(10);

std::vector<Source> sources_of(const std::vector<std::unique_ptr<Endpoint>>& endpoints,
                               const std::vector<std::unique_ptr<NegativeCache>>& negatives) {
  std::vector<Source> sources;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    sources.push_back({endpoints[i].get(), negatives[i].get()});
  }
  return sources;
}

std::vector<std::unique_ptr<NegativeCache>> negative_caches(size_t count) {
  std::vector<std::unique_ptr<NegativeCache>> caches(count);
  for (auto& cache : caches) cache = std::make_unique<NegativeCache>();
  return caches;
}

}  // namespace

RemoteTier::RemoteTier(BlockStore& own, std::vector<std::unique_ptr<Endpoint>> endpoints,
                       std::vector<std::byte> secret, const RemoteOptions& options)
    : own_(own),
      names_(secret, options.encrypts),
      envelope_(options.encrypts ? Envelope::sealing(secret) : Envelope()),
      endpoints_(std::move(endpoints)),
      negatives_(negative_caches(endpoints_.size())),
      fetcher_(own_, sources_of(endpoints_, negatives_), names_, envelope_) {
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    writers_.push_back(std::make_unique<WriteBack>(own_, *endpoints_[i], names_, envelope_,
                                                   *negatives_[i], options.new_tokens_min));
  }
  for (int i = 0; i < kFetchesAtATime; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run_fetches(stop); });
  }
  threads_.emplace_back([this](const std::stop_token& stop) { bring_rests(stop); });
}

RemoteTier::~RemoteTier() {
  std::deque<std::shared_ptr<Fetch>> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(queue_);
    for (const auto& [key, fetch] : under_way_) {
      if (const auto one = fetch.lock()) one->give_up();
    }
    for (const auto& fetch : rests_) fetch->give_up();
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  changed_.notify_all();
  for (const auto& fetch : left) fetch->finish({.blocks = fetch->wish().have_blocks});
  threads_.clear();
}

std::shared_ptr<Fetch> RemoteTier::fetch(FetchWish wish) {
  KVASIR_CHECK(wish.chain && wish.have_blocks < wish.chain->block_count(), "something to bring");
  KVASIR_CHECK(wish.tokens_per_s > 0, "a speed to race against");
  const Key first = wish.chain->key_at(wish.have_blocks + 1);
  const std::lock_guard lock(mutex_);
  if (auto same = under_way_[first].lock(); same && !same->is_done()) return same;
  auto fetch = std::make_shared<Fetch>(std::move(wish));
  under_way_[first] = fetch;
  queue_.push_back(fetch);
  changed_.notify_all();
  return fetch;
}

void RemoteTier::run_fetches(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !queue_.empty(); })) {
    const std::shared_ptr<Fetch> fetch = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    fetcher_.run(*fetch);
    lock.lock();
    under_way_.erase(fetch->wish().chain->key_at(fetch->wish().have_blocks + 1));
    if (!fetch->late()) continue;
    rests_.push_back(fetch);
    changed_.notify_all();
  }
}

void RemoteTier::bring_rests(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !rests_.empty(); })) {
    const std::shared_ptr<Fetch> fetch = rests_.front();
    lock.unlock();
    fetcher_.bring_rest(*fetch, stop);
    lock.lock();
    rests_.pop_front();
  }
}

void RemoteTier::offer(const ChainEnd& end) {
  for (const auto& writer : writers_) writer->offer(end);
}

RemoteTier::Ticket RemoteTier::write_now(const ChainEnd& end) {
  Ticket ticket;
  for (const auto& writer : writers_) ticket.push_back(writer->write_now(end));
  return ticket;
}

bool RemoteTier::is_done(const Ticket& ticket) const {
  KVASIR_CHECK(ticket.size() == writers_.size(), "a ticket of this tier");
  for (size_t i = 0; i < ticket.size(); ++i) {
    if (!writers_[i]->is_done(ticket[i])) return false;
  }
  return true;
}

bool RemoteTier::flush(Deadline deadline) {
  return std::ranges::all_of(writers_, [&](const auto& writer) { return writer->flush(deadline); });
}

void RemoteTier::touch(const Chain& chain, int64_t blocks) {
  if (blocks == 0) return;
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (touched_.has(chain.key_at(blocks), now)) return;
    touched_.add(chain.key_at(blocks), now);
  }
  std::vector<ObjectName> names;
  // The root last: an engine that forgets what was used longest ago begins at the chain's end.
  const ChainForm form(chain, names_, envelope_);
  if (form.has_state()) names.push_back(form.state(blocks).object);
  for (int64_t count = blocks; count > 0; --count) names.push_back(form.block(count).object);
  for (const auto& endpoint : endpoints_) {
    if (!endpoint->traits().has_ttl) continue;
    endpoint->touch(names, kKeptS, now + kTouchTime, [](const Status&) {});
  }
}

RemoteMetrics RemoteTier::metrics() const {
  RemoteMetrics metrics;
  fetcher_.add_to(metrics);
  for (const auto& writer : writers_) writer->add_to(metrics);
  for (const auto& endpoint : endpoints_) metrics.endpoints.push_back(endpoint->metrics());
  return metrics;
}

std::vector<Error> RemoteTier::notes() const {
  std::vector<Error> notes;
  for (const auto& endpoint : endpoints_) {
    for (Error& note : endpoint->notes()) notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace kvasir::store::remote
