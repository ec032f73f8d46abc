#include "store/remote/endpoint.h"

#include <gtest/gtest.h>

#include <future>

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
