#include "store/remote/endpoint.h"

#include <gtest/gtest.h>

#include <future>

#include "store/remote/probe.h"
#include "store/remote/remote_test_support.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr EngineTraits kTraits{.probes_max = 100};

Status probe_now(Endpoint& endpoint, Deadline deadline = Clock::now() + seconds(10)) {
  std::promise<Status> promise;
  endpoint.probe({ObjectName{}}, deadline, [&promise](const Result<std::vector<bool>>& answer) {
    promise.set_value(answer.ok() ? ok_status() : Status(answer.error()));
  });
  return promise.get_future().get();
}

TEST(EndpointTest, ConnectsToNobodyBeforeTheFirstCall) {
  std::atomic<int> made = 0;
  FakeEngine engine;
  Endpoint endpoint(
      "e", kTraits, 4,
      [&] {
        ++made;
        return engine.client();
      },
      1);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(made, 0);
  EXPECT_TRUE(probe_now(endpoint).ok());
  EXPECT_EQ(made, 1);
}

TEST(EndpointTest, ACallWhoseTimeIsOverIsNotMade) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  EXPECT_EQ(probe_now(*endpoint, Clock::now() - seconds(1)).error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(engine.calls, 0);
  EXPECT_EQ(endpoint->metrics().deadline_exceeded, 1);
}

TEST(EndpointTest, ReadsGoBeforeWritesThatWait) {
  FakeEngine engine;
  engine.bytes_per_s = 1'000'000;
  const auto endpoint = engine.endpoint(kTraits, 1);
  std::vector<std::string> order;
  std::promise<void> all;
  const auto batch = [] {
    auto one = std::make_shared<ReadBatch>();
    one->memory = AlignedBuffer<std::byte>(20000);
    one->reads.push_back({.into = {one->memory.data(), 20000}});
    return one;
  };
  const Deadline deadline = Clock::now() + seconds(10);
  endpoint->read(batch(), deadline, [&](const Status&) { order.emplace_back("first"); });
  for (int i = 0; i < 3; ++i) {
    endpoint->remove({ObjectName{}}, deadline, [&, i](const Status&) {
      order.emplace_back("remove");
      if (i == 2) all.set_value();
    });
  }
  endpoint->read(batch(), deadline, [&](const Status&) { order.emplace_back("read"); });
  all.get_future().wait();
  EXPECT_EQ(order, (std::vector<std::string>{"first", "read", "remove", "remove", "remove"}));
}

TEST(EndpointTest, WhoCannotMakeAClientFailsAndGoesOn) {
  FakeEngine engine;
  std::atomic<bool> has_files = false;
  Endpoint endpoint(
      "e", kTraits, 1,
      [&]() -> std::unique_ptr<ObjectClient> { return has_files ? engine.client() : nullptr; }, 1);
  EXPECT_FALSE(probe_now(endpoint).ok());
  has_files = true;
  EXPECT_TRUE(probe_now(endpoint).ok());
}

TEST(EndpointTest, ThreeWrongObjectsInAMinuteCloseItOff) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  endpoint->report_wrong_bytes({});
  endpoint->report_wrong_bytes({});
  EXPECT_TRUE(probe_now(*endpoint).ok());
  endpoint->report_wrong_bytes({});
  EXPECT_FALSE(probe_now(*endpoint).ok());
  ASSERT_FALSE(endpoint->notes().empty());
  EXPECT_EQ(endpoint->notes().back().kind, ErrorKind::kDamaged);
}

constexpr int64_t kBytes = 6;  // of an object

ReadOutcome read_now(Endpoint& endpoint, const ObjectName& name) {
  return read_now(endpoint, name, kBytes, true);
}

WriteOutcome write_now(Endpoint& endpoint, const ObjectName& name) {
  const auto batch = std::make_shared<WriteBatch>();
  batch->memory = AlignedBuffer<std::byte>(kBytes);
  batch->writes.push_back({.name = name, .bytes = {batch->memory.data(), kBytes}});
  const auto done = std::make_shared<std::promise<void>>();
  endpoint.write(batch, Clock::now() + seconds(10), [done](const Status&) { done->set_value(); });
  done->get_future().wait();
  return batch->writes[0].outcome;
}

bool is_there(Endpoint& endpoint, const ObjectName& name) {
  const auto answer = probe_now(endpoint, std::vector{name}, Clock::now() + seconds(10));
  return answer && (*answer)[0];
}

// As of a gateway whose servers are out for a moment.
TEST(EndpointTest, WhatFailsTwiceInAMomentIsNotLost) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  EXPECT_EQ(write_now(*endpoint, {}), WriteOutcome::kWritten);
  engine.lose_all();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(read_now(*endpoint, {}), ReadOutcome::kUnreadable);
  EXPECT_TRUE(endpoint->is_doubtful({}));
  EXPECT_TRUE(is_there(*endpoint, {}));
  EXPECT_EQ(write_now(*endpoint, {}), WriteOutcome::kPresent);
}

TEST(EndpointTest, WhatFailsAgainAfterItsDoubtIsLostForAWhile) {
  UnreadableObjects objects(seconds(5));
  const Deadline begin = Clock::now();
  const auto fails_at = [&](seconds at) { objects.failed({}, begin + at); };
  const auto is_lost_at = [&](seconds at) { return objects.is_lost({}, begin + at); };
  for (const int at : {0, 1, 4}) fails_at(seconds(at));
  EXPECT_FALSE(is_lost_at(seconds(4)));
  fails_at(seconds(5));
  EXPECT_TRUE(is_lost_at(seconds(5)));
  EXPECT_FALSE(is_lost_at(seconds(700)));
  EXPECT_TRUE(objects.is_doubtful({}, begin + seconds(700)));
  // A text that is used now and then is healed, too.
  fails_at(seconds(7200));
  EXPECT_TRUE(is_lost_at(seconds(7200)));
  objects.forget({});
  fails_at(seconds(7300));
  EXPECT_FALSE(is_lost_at(seconds(7300)));
}

TEST(EndpointTest, WhatItFailsToReadTwiceIsMissingUntilItIsWrittenOver) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint({.probes_max = 100, .doubt = milliseconds(0)});
  const ObjectName lost{}, other{.kind = ObjectKind::kState};
  for (const ObjectName& name : {lost, other}) {
    EXPECT_EQ(write_now(*endpoint, name), WriteOutcome::kWritten);
  }
  engine.lose({FakeEngine::name_of(lost)});
  EXPECT_EQ(read_now(*endpoint, lost), ReadOutcome::kUnreadable);
  EXPECT_TRUE(endpoint->is_doubtful(lost));
  EXPECT_TRUE(is_there(*endpoint, lost)) << "once may be chance";
  EXPECT_EQ(write_now(*endpoint, lost), WriteOutcome::kPresent);
  EXPECT_EQ(read_now(*endpoint, lost), ReadOutcome::kUnreadable);
  EXPECT_FALSE(is_there(*endpoint, lost));
  EXPECT_TRUE(is_there(*endpoint, other));
  EXPECT_EQ(write_now(*endpoint, other), WriteOutcome::kPresent);
  EXPECT_EQ(write_now(*endpoint, lost), WriteOutcome::kWritten);
  EXPECT_TRUE(is_there(*endpoint, lost));
  EXPECT_EQ(read_now(*endpoint, lost), ReadOutcome::kRead);
  EXPECT_EQ(endpoint->metrics().unreadable_objects, 2);
}

TEST(EndpointTest, WhatItReadsAfterAllIsNotDoubtful) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  EXPECT_EQ(write_now(*endpoint, {}), WriteOutcome::kWritten);
  for (int i = 0; i < 3; ++i) {
    engine.lose({FakeEngine::name_of({})});
    EXPECT_EQ(read_now(*endpoint, {}), ReadOutcome::kUnreadable);
    engine.lose({});
    EXPECT_EQ(read_now(*endpoint, {}), ReadOutcome::kRead);
  }
  EXPECT_TRUE(is_there(*endpoint, {}));
}

TEST(EndpointTest, ObjectsThatItFailsToReadDoNotCloseItOff) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  EXPECT_EQ(write_now(*endpoint, {}), WriteOutcome::kWritten);
  engine.lose_all();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(read_now(*endpoint, {}), ReadOutcome::kUnreadable);
  EXPECT_FALSE(endpoint->is_closed_off());
  EXPECT_EQ(endpoint->metrics().failures, 0);
}

TEST(EndpointTest, WhoFailsToReadAnyObjectIsClosedOff) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  const auto name = [](int i) { return ObjectName{.hash = {static_cast<std::byte>(i)}}; };
  for (int i = 0; i < 40; ++i) EXPECT_EQ(write_now(*endpoint, name(i)), WriteOutcome::kWritten);
  engine.lose_all();
  for (int i = 0; i < 19; ++i) EXPECT_EQ(read_now(*endpoint, name(i)), ReadOutcome::kUnreadable);
  engine.lose({});
  EXPECT_EQ(read_now(*endpoint, name(19)), ReadOutcome::kRead);
  engine.lose_all();
  for (int i = 20; i < 39; ++i) EXPECT_EQ(read_now(*endpoint, name(i)), ReadOutcome::kUnreadable);
  EXPECT_FALSE(endpoint->is_closed_off()) << "one in between was read";
  read_now(*endpoint, name(39));
  EXPECT_TRUE(endpoint->is_closed_off());
}

// As SeaweedFS that is full: it answers a write after half a minute.
TEST(EndpointTest, WritesThatFailAreLeftOffForAWhileAndReadsAreNot) {
  FakeEngine engine;
  const auto endpoint = engine.endpoint(kTraits);
  const ObjectName there{}, other{.kind = ObjectKind::kState};
  EXPECT_EQ(write_now(*endpoint, there), WriteOutcome::kWritten);
  engine.fails_writes = true;
  int writes = 0;
  for (; endpoint->takes_writes() && writes < 100; ++writes) write_now(*endpoint, other);
  EXPECT_LE(writes, 5);
  EXPECT_FALSE(endpoint->is_closed_off());
  EXPECT_TRUE(endpoint->metrics().is_read_only);
  EXPECT_EQ(read_now(*endpoint, there), ReadOutcome::kRead);
  engine.fails_writes = false;
  for (int i = 0; i < 1000 && !endpoint->takes_writes(); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(write_now(*endpoint, other), WriteOutcome::kWritten);
  EXPECT_TRUE(endpoint->takes_writes());
  EXPECT_FALSE(endpoint->metrics().is_read_only);
}

TEST(EndpointTest, CallsThatWaitAtItsEndAreToldSo) {
  FakeEngine engine;
  engine.fault = FakeEngine::Fault::kHung;
  auto endpoint = engine.endpoint(kTraits, 1);
  std::atomic<int> done = 0;
  for (int i = 0; i < 10; ++i) {
    endpoint->probe({ObjectName{}}, Clock::now() + seconds(10), [&](const auto&) { ++done; });
  }
  endpoint.reset();
  EXPECT_EQ(done, 10);
}

}  // namespace
}  // namespace kvasir::store::remote
