// A service under many threads: each sink hears one last event and nothing after it, whoever
// cancels, drains or ends the service meanwhile.
#include "kvasir/service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "engine_driver.h"
#include "scheduler_driver.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::golden_decoder;
using testing::Heard;
using testing::open_engine;
using testing::random_tokens;
using testing::request_of_ids;
using Kind = ServiceEvent::Kind;
using std::chrono::milliseconds;

constexpr int64_t kVocab = 48;

// What other threads may wait for and read. It outlives the service that calls its sink.
class Listener {
 public:
  ServiceSink sink() {
    return [this](const ServiceEvent& event) {
      const std::lock_guard lock(mutex_);
      testing::hear(event, heard_);
      changed_.notify_all();
    };
  }
  void wait_for(Kind kind) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return heard_.count(kind) > 0 || heard_.is_over(); });
  }
  Heard wait_for_end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return heard_.is_over(); });
    return heard_;
  }
  Heard heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Heard heard_;
};

// Counts are those of the last step, so what a sink heard may be a moment ahead of them.
ServiceMetrics settled(const Service& service) {
  ServiceMetrics metrics = service.metrics();
  while (metrics.running_requests + metrics.waiting_requests > 0) {
    std::this_thread::yield();
    metrics = service.metrics();
  }
  return metrics;
}

ServiceRequest endless() { return request_of_ids({1, 2, 3}, 1'000'000); }

TEST(ServiceTest, WhoHearsOfTheFirstRowsFindsThePlaceInTheQueueFree) {
  std::vector<Kind> early;
  Listener listener;
  Service service(open_engine(golden_decoder("llama")),
                  {.running_max = 1, .queued_requests_max = 1});
  const ServiceSink tell = listener.sink();
  const auto id = service.submit(request_of_ids({1, 2, 3}, 2), [&](const ServiceEvent& event) {
    if (event.kind != Kind::kWaiting && service.is_full()) early.push_back(event.kind);
    tell(event);
  });
  ASSERT_TRUE(id.ok()) << id.error().message();
  EXPECT_GT(listener.wait_for_end().count(Kind::kPiece), 0);
  EXPECT_EQ(early, std::vector<Kind>());
}

TEST(ServiceTest, EverySinkHearsOneLastEvent) {
  constexpr int kThreads = 6;
  constexpr int kRequests = 40;
  std::vector<std::unique_ptr<Listener>> listeners;
  for (int i = 0; i < kThreads * kRequests; ++i) listeners.push_back(std::make_unique<Listener>());
  std::atomic<int64_t> accepted = 0;
  std::atomic<int64_t> refused = 0;
  std::vector<std::atomic<bool>> is_accepted(listeners.size());
  Service service(open_engine(golden_decoder("llama")),
                  {.running_max = 4, .queued_requests_max = 24});
  const auto client = [&](int thread) {
    std::mt19937_64 random(static_cast<uint64_t>(thread));
    std::vector<RequestId> ids;
    for (int i = 0; i < kRequests; ++i) {
      const auto place = static_cast<size_t>(thread * kRequests + i);
      ServiceRequest wanted = request_of_ids(
          random_tokens(1 + static_cast<int64_t>(random() % 300), kVocab, random() % 5),
          static_cast<int64_t>(random() % 12));
      wanted.answer_count = random() % 6 == 0 ? 3 : 1;
      if (random() % 8 == 0) wanted.deadline = ServiceClock::now();
      const auto id = service.submit(wanted, listeners[place]->sink());
      if (id.ok()) {
        ids.push_back(*id);
        is_accepted[place] = true;
        ++accepted;
      } else {
        EXPECT_EQ(id.error().kind, ErrorKind::kBusy);
        ++refused;
      }
      if (random() % 3 == 0 && !ids.empty()) service.cancel(ids[random() % ids.size()]);
      if (random() % 4 == 0 && id.ok()) listeners[place]->wait_for(Kind::kPiece);
      (void)service.metrics();
      (void)service.store_metrics();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(client, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(service.drain(std::chrono::hours(1'000'000)).ok());

  int64_t done = 0;
  for (size_t i = 0; i < listeners.size(); ++i) {
    const Heard heard = listeners[i]->heard();
    EXPECT_EQ(heard.is_over(), is_accepted[i]);
    EXPECT_TRUE(is_accepted[i] || heard.kinds.empty());
    done += heard.count(Kind::kDone);
  }
  const ServiceMetrics metrics = service.metrics();
  EXPECT_EQ(metrics.running_requests, 0);
  EXPECT_EQ(metrics.waiting_requests, 0);
  EXPECT_EQ(metrics.waiting_tokens, 0);
  EXPECT_EQ(metrics.finished_by_length + metrics.finished_by_end, done);
  EXPECT_EQ(metrics.cancelled, accepted - done);
  EXPECT_EQ(metrics.failed, 0);
  EXPECT_EQ(metrics.refused, refused);
  EXPECT_EQ(metrics.request_seconds.count, accepted);
}

TEST(ServiceTest, DrainingLetsWorkEndAndRefusesMore) {
  Listener listener;
  Service service(open_engine(golden_decoder("llama")), {});
  ASSERT_TRUE(
      service.submit(request_of_ids(random_tokens(300, kVocab, 1), 50), listener.sink()).ok());
  EXPECT_TRUE(service.drain(milliseconds::max()).ok());
  EXPECT_EQ(listener.heard().kinds.back(), Kind::kDone);
  Listener late;
  const auto id = service.submit(request_of_ids({1}, 1), late.sink());
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.error().kind, ErrorKind::kBusy);
  EXPECT_TRUE(late.heard().kinds.empty());
  // Nothing is left to do, and nothing hangs.
  service.cancel(1);
  EXPECT_TRUE(service.drain(milliseconds(0)).ok());
}

TEST(ServiceTest, DrainingWithoutPatienceCancels) {
  std::vector<std::unique_ptr<Listener>> listeners;
  Service service(open_engine(golden_decoder("llama")), {.running_max = 2});
  for (int i = 0; i < 5; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    ASSERT_TRUE(service.submit(endless(), listeners.back()->sink()).ok());
  }
  listeners[0]->wait_for(Kind::kPiece);
  EXPECT_TRUE(service.drain(milliseconds(0)).ok());
  for (const auto& listener : listeners) {
    const Heard heard = listener->heard();
    ASSERT_TRUE(heard.is_over());
    EXPECT_EQ(heard.error->kind, ErrorKind::kInterrupted);
  }
}

TEST(ServiceTest, ASecondDrainWithoutPatienceEndsTheFirst) {
  Listener listener;
  Service service(open_engine(golden_decoder("llama")), {});
  ASSERT_TRUE(service.submit(endless(), listener.sink()).ok());
  listener.wait_for(Kind::kPiece);
  std::thread patient([&] { EXPECT_TRUE(service.drain(std::chrono::hours(10)).ok()); });
  EXPECT_TRUE(service.drain(milliseconds(0)).ok());
  patient.join();
  EXPECT_TRUE(listener.heard().is_over());
}

TEST(ServiceTest, EndsWhileWorkRuns) {
  std::vector<std::unique_ptr<Listener>> listeners;
  {
    Service service(open_engine(golden_decoder("llama")), {.running_max = 2});
    for (int i = 0; i < 4; ++i) {
      listeners.push_back(std::make_unique<Listener>());
      ASSERT_TRUE(service.submit(endless(), listeners.back()->sink()).ok());
    }
  }
  for (const auto& listener : listeners) EXPECT_TRUE(listener->heard().is_over());
}

TEST(ServiceTest, WhatDrainedIsInTheStore) {
  testing::TempDirectory directory;
  EngineOptions options = golden_decoder("llama");
  options.store = StoreOptions{.directory = directory.file("store"), .min_free_bytes = 0};
  const auto prompt = random_tokens(300, kVocab, 3);
  {
    Listener listener;
    Service service(open_engine(options), {});
    ServiceRequest wanted = endless();
    wanted.prompt = prompt;
    ASSERT_TRUE(service.submit(wanted, listener.sink()).ok());
    listener.wait_for(Kind::kPiece);
    EXPECT_TRUE(service.drain(milliseconds(0)).ok());
  }
  Engine engine = open_engine(options);
  EXPECT_EQ(engine.resumable_tokens(prompt), 256);
}

TEST(ServiceTest, ARequestCancelledAtOnceEnds) {
  Listener running;
  Service service(open_engine(golden_decoder("llama")), {.running_max = 1});
  ASSERT_TRUE(service.submit(endless(), running.sink()).ok());
  std::vector<std::unique_ptr<Listener>> listeners;
  for (int i = 0; i < 50; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    service.cancel(*service.submit(endless(), listeners.back()->sink()));
  }
  for (const auto& listener : listeners) {
    EXPECT_EQ(listener->wait_for_end().error->kind, ErrorKind::kInterrupted);
  }
  EXPECT_FALSE(running.heard().is_over());
}

TEST(ServiceTest, CountsWhatRunsAndWhatWaits) {
  std::vector<std::unique_ptr<Listener>> listeners;
  Service service(open_engine(golden_decoder("llama")),
                  {.running_max = 2, .queued_requests_max = 3});
  std::vector<RequestId> ids;
  for (int i = 0; i < 5; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    const auto id = service.submit(endless(), listeners.back()->sink());
    ASSERT_TRUE(id.ok());
    ids.push_back(*id);
    listeners.back()->wait_for(i < 2 ? Kind::kPiece : Kind::kWaiting);
    // A step later what runs does not count as waiting any more.
    while (service.metrics().running_requests < std::min(i + 1, 2)) std::this_thread::yield();
  }
  ServiceMetrics metrics = service.metrics();
  EXPECT_EQ(metrics.running_requests, 2);
  EXPECT_EQ(metrics.waiting_requests, 3);
  EXPECT_EQ(metrics.waiting_tokens, 9);
  Listener refused;
  EXPECT_EQ(service.submit(endless(), refused.sink()).error().kind, ErrorKind::kBusy);
  for (const RequestId id : ids) service.cancel(id);
  for (const auto& listener : listeners) (void)listener->wait_for_end();
  metrics = settled(service);
  EXPECT_EQ(metrics.cancelled, 5);
  EXPECT_EQ(metrics.refused, 1);
  EXPECT_EQ(metrics.waiting_tokens, 0);
}

// Nothing is said to one whose prompt another computes, and it runs all the same.
TEST(ServiceTest, WhoWaitsForAnotherPromptCountsAsRunning) {
  EngineOptions options = golden_decoder("llama");
  options.chunk_tokens = 8;
  Listener leader;
  Listener follower;
  Service service(open_engine(options), {});
  ServiceRequest wanted = endless();
  wanted.prompt = random_tokens(3000, kVocab, 4);
  ASSERT_TRUE(service.submit(wanted, leader.sink()).ok());
  ASSERT_TRUE(service.submit(wanted, follower.sink()).ok());
  ServiceMetrics metrics = service.metrics();
  while (metrics.running_requests < 2) metrics = service.metrics();
  EXPECT_EQ(metrics.waiting_requests, 0);
  EXPECT_EQ(metrics.waiting_tokens, 0);
}

TEST(ServiceTest, ASinkMaySubmitAndCancel) {
  Listener next;
  Listener own;
  std::atomic<RequestId> id = 0;
  std::atomic<bool> has_submitted = false;
  Service service(open_engine(golden_decoder("llama")), {});
  const ServiceSink hear = own.sink();
  id = *service.submit(endless(), [&](const ServiceEvent& event) {
    hear(event);
    if (event.kind != Kind::kPiece || has_submitted.exchange(true)) return;
    EXPECT_TRUE(service.submit(request_of_ids({4, 5}, 3), next.sink()).ok());
    service.cancel(id);
  });
  // The id may have been unknown to the sink's first call.
  next.wait_for_end();
  service.cancel(id);
  EXPECT_EQ(own.wait_for_end().error->kind, ErrorKind::kInterrupted);
  EXPECT_EQ(next.heard().kinds.back(), Kind::kDone);
}

}  // namespace
}  // namespace kvasir
