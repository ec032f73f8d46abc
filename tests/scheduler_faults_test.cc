// Corners of a scheduler: who waits for whom, memory that is short, sinks that talk back. Every
// request ends, and gets the bits that it gets alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine_driver.h"
#include "kvasir/scheduler.h"
#include "scheduler_driver.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::expect_same_bits;
using testing::golden_decoder;
using testing::Heard;
using testing::into;
using testing::joined;
using testing::open_engine;
using testing::random_tokens;
using testing::request_of_ids;
using testing::run;
using testing::run_until_over;
using Kind = ServiceEvent::Kind;
using Tokens = std::vector<int32_t>;

constexpr int64_t kVocab = 48;

Tokens first(const Tokens& tokens, int64_t count) {
  return {tokens.begin(), tokens.begin() + count};
}

class SchedulerFaultsTest : public ::testing::Test {
 protected:
  EngineOptions with_store(int64_t ram_bytes = 0) const {
    EngineOptions options = golden_decoder("llama");
    options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
    options.ram_bytes = ram_bytes;
    return options;
  }

  static void expect_right(const ServiceRequest& request, const Heard& heard) {
    ASSERT_EQ(heard.kinds.back(), Kind::kDone) << (heard.error ? heard.error->message() : "");
    const Heard expected = testing::alone(request, golden_decoder("llama"));
    for (const auto& [answer, tokens] : expected.tokens) {
      expect_same_bits(heard.tokens.at(answer), tokens);
    }
  }

  testing::TempDirectory directory_;
  Engine engine_ = open_engine(golden_decoder("llama"));
};

TEST_F(SchedulerFaultsTest, WhoFollowsAFollowerIsServedWithIt) {
  EngineOptions options = golden_decoder("llama");
  options.chunk_tokens = 32;
  Engine engine = open_engine(options);
  Scheduler scheduler(engine, {.running_max = 3});
  std::vector<Heard> short_ones(2);
  for (size_t i = 0; i < 2; ++i) {
    const auto wanted = request_of_ids(random_tokens(10, kVocab, i), i == 0 ? 4 : 8);
    ASSERT_TRUE(scheduler.submit(wanted, into(short_ones[i])).ok());
  }
  scheduler.step();
  // Who came last begins first, and the others one by one, so that each waits for the one behind
  // it in the list.
  const Tokens shared = random_tokens(600, kVocab, 1);
  std::vector<ServiceRequest> requests;
  std::vector<Heard> heard(3);
  for (size_t i = 0; i < 3; ++i) {
    requests.push_back(request_of_ids(joined(shared, random_tokens(40, kVocab, 10 + i)), 4));
    requests.back().priority = static_cast<int>(i);
    ASSERT_TRUE(scheduler.submit(requests[i], into(heard[i])).ok());
  }
  run(scheduler);
  int64_t computed = 0;
  for (size_t i = 0; i < 3; ++i) {
    expect_right(requests[i], heard[i]);
    computed += heard[i].usage.computed_tokens;
  }
  EXPECT_EQ(computed, 600 + 3 * 40);
}

TEST_F(SchedulerFaultsTest, APromptMayEndWhereTheOneThatItWaitsForWasResumed) {
  const Tokens tokens = random_tokens(400, kVocab, 2);
  Engine engine = open_engine(with_store());
  {
    Scheduler scheduler(engine, {});
    Heard heard;
    ASSERT_TRUE(scheduler.submit(request_of_ids(first(tokens, 300), 1), into(heard)).ok());
    run(scheduler);
  }
  // The store has 256 tokens: the longer prompt goes on there, the shorter one is these.
  Scheduler scheduler(engine, {});
  const ServiceRequest requests[] = {request_of_ids(tokens, 3),
                                     request_of_ids(first(tokens, 256), 3)};
  Heard heard[2];
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(scheduler.submit(requests[i], into(heard[i])).ok());
  }
  run(scheduler);
  for (size_t i = 0; i < 2; ++i) expect_right(requests[i], heard[i]);
  EXPECT_EQ(heard[0].usage.reused_tokens(), 256);
}

TEST_F(SchedulerFaultsTest, WhoComesWhereBothPromptsPartGoesOnFromThere) {
  EngineOptions options = golden_decoder("llama");
  options.chunk_tokens = 32;
  Engine engine = open_engine(options);
  Scheduler scheduler(engine, {});
  const Tokens tokens = random_tokens(900, kVocab, 12);
  const ServiceRequest requests[] = {
      request_of_ids(tokens, 3),
      request_of_ids(joined(first(tokens, 320), {tokens[320] ^ 1, 3, 4}), 3)};
  Heard heard[2];
  ASSERT_TRUE(scheduler.submit(requests[0], into(heard[0])).ok());
  while (heard[0].usage.computed_tokens < 320) scheduler.step();
  ASSERT_TRUE(scheduler.submit(requests[1], into(heard[1])).ok());
  run(scheduler);
  EXPECT_EQ(heard[1].usage.computed_tokens, 3);
  for (size_t i = 0; i < 2; ++i) expect_right(requests[i], heard[i]);
}

TEST_F(SchedulerFaultsTest, WhoWaitsForALongPromptIsNotOvertakenByLongerOnes) {
  EngineOptions options = golden_decoder("llama");
  options.chunk_tokens = 32;
  Engine engine = open_engine(options);
  Scheduler scheduler(engine, {});
  const Tokens tokens = random_tokens(3000, kVocab, 3);
  Heard longest;
  Heard follower;
  std::vector<Heard> others(8);
  ASSERT_TRUE(scheduler.submit(request_of_ids(tokens, 1), into(longest)).ok());
  ASSERT_TRUE(
      scheduler.submit(request_of_ids(joined(first(tokens, 200), {1, 2, 3}), 1), into(follower))
          .ok());
  for (size_t i = 0; i < others.size(); ++i) {
    ASSERT_TRUE(
        scheduler.submit(request_of_ids(random_tokens(400, kVocab, 20 + i), 1), into(others[i]))
            .ok());
  }
  run_until_over(scheduler, follower);
  for (const Heard& other : others) EXPECT_FALSE(other.is_over());
  run(scheduler);
}

TEST_F(SchedulerFaultsTest, PromptsGetOnBesideMoreDecodersThanAPassTakes) {
  for (const int64_t chunk_tokens : {1, 4}) {
    EngineOptions options = golden_decoder("llama");
    options.chunk_tokens = chunk_tokens;
    Engine engine = open_engine(options);
    Scheduler scheduler(engine, {});
    ServiceRequest many = request_of_ids(random_tokens(5, kVocab, 4), 200);
    many.answer_count = 8;
    Heard decoding;
    Heard prompt;
    ASSERT_TRUE(scheduler.submit(many, into(decoding)).ok());
    while (decoding.tokens[7].empty()) scheduler.step();
    const ServiceRequest wanted = request_of_ids(random_tokens(30, kVocab, 5), 2);
    ASSERT_TRUE(scheduler.submit(wanted, into(prompt)).ok());
    run_until_over(scheduler, prompt);
    EXPECT_FALSE(decoding.is_over()) << chunk_tokens;
    expect_right(wanted, prompt);
    run(scheduler);
    expect_right(many, decoding);
  }
}

TEST_F(SchedulerFaultsTest, ASinkMayCancelAndSubmit) {
  for (const Kind kind : {Kind::kWaiting, Kind::kPrefill, Kind::kStarted, Kind::kPiece,
                          Kind::kEnded, Kind::kDone, Kind::kFailed}) {
    Scheduler scheduler(engine_, {.running_max = 2});
    Heard cancelling;
    Heard other;
    Heard next;
    RequestId other_id = 0;
    RequestId own_id = 0;
    bool was_told = false;
    const ServiceSink sink = [&](const ServiceEvent& event) {
      testing::hear(event, cancelling);
      if (event.kind != kind || was_told) return;
      was_told = true;
      scheduler.cancel(own_id);
      scheduler.cancel(other_id);
      EXPECT_TRUE(scheduler.submit(request_of_ids({1, 2}, 2), into(next)).ok());
    };
    ServiceRequest longer = request_of_ids(random_tokens(600, kVocab, 6), 5);
    longer.answer_count = 2;
    std::vector<Heard> before(kind == Kind::kWaiting ? 2 : 0);
    for (Heard& heard : before) {
      ASSERT_TRUE(scheduler.submit(request_of_ids({1, 2, 3}, 4), into(heard)).ok());
    }
    own_id = *scheduler.submit(longer, sink);
    other_id = *scheduler.submit(request_of_ids(random_tokens(700, kVocab, 7), 900), into(other));
    if (kind == Kind::kFailed) scheduler.cancel(own_id);
    run(scheduler);
    EXPECT_TRUE(was_told && cancelling.is_over() && other.is_over());
    EXPECT_EQ(other.kinds.back(), Kind::kFailed);
    EXPECT_EQ(next.kinds.back(), Kind::kDone);
  }
}

// Of a store that is only read nothing can be put aside.
TEST_F(SchedulerFaultsTest, KeptSessionsMakeRoomForOneThatIsResumed) {
  const Tokens tokens = random_tokens(700, kVocab, 8);
  {
    Engine engine = open_engine(with_store());
    Scheduler scheduler(engine, {});
    Heard heard;
    ASSERT_TRUE(scheduler.submit(request_of_ids(tokens, 1), into(heard)).ok());
    run(scheduler);
  }
  EngineOptions options = with_store(int64_t{1} << 40);
  options.ram_bytes = open_engine(options).ram_bytes_min(720);
  options.store->read_only = true;
  Engine engine = open_engine(options);
  Scheduler scheduler(engine, {});
  ServiceRequest wanted;
  Heard heard;
  for (const uint64_t seed : {9, 10, 11, 0}) {
    wanted =
        request_of_ids(seed == 0 ? joined(tokens, {1, 2}) : random_tokens(600, kVocab, seed), 4);
    heard = {};
    ASSERT_TRUE(scheduler.submit(wanted, into(heard)).ok());
    run(scheduler);
    expect_right(wanted, heard);
  }
  EXPECT_EQ(heard.usage.reused_disk_tokens, 640);
}

TEST_F(SchedulerFaultsTest, ManyShortRequestsDoNotPushOutAConversation) {
  Scheduler scheduler(engine_, {.idle_sessions_max = 4});
  const Tokens conversation = random_tokens(2000, kVocab, 11);
  Heard heard;
  ASSERT_TRUE(scheduler.submit(request_of_ids(conversation, 0), into(heard)).ok());
  run(scheduler);
  for (uint64_t i = 0; i < 40; ++i) {
    Heard title;
    ASSERT_TRUE(
        scheduler.submit(request_of_ids(random_tokens(30, kVocab, 100 + i), 2), into(title)).ok());
    run(scheduler);
  }
  EXPECT_EQ(scheduler.metrics().idle_sessions, 4);
  Heard next;
  ASSERT_TRUE(scheduler.submit(request_of_ids(joined(conversation, {5}), 1), into(next)).ok());
  run(scheduler);
  EXPECT_EQ(next.usage.reused_ram_tokens, 2000);
  EXPECT_EQ(next.usage.computed_tokens, 1);
}

TEST_F(SchedulerFaultsTest, KeptSessionsLeaveTheMemoryToThoseThatRun) {
  const ModelInfo& info = engine_.info();
  const int64_t bound = 10 * info.kv_block_bytes + 4 * info.kv_fixed_bytes;
  Scheduler scheduler(engine_, {.kv_bytes_max = bound});
  for (uint64_t i = 0; i < 6; ++i) {
    Heard heard;
    ASSERT_TRUE(
        scheduler.submit(request_of_ids(random_tokens(500, kVocab, 30 + i), 300), into(heard))
            .ok());
    while (scheduler.step()) ASSERT_LE(engine_.kv_bytes(), bound);
    EXPECT_EQ(heard.kinds.back(), Kind::kDone);
  }
}

TEST_F(SchedulerFaultsTest, FirstRowsThatAreKeptWholeTakeTheirRoom) {
  EngineOptions options = golden_decoder("llama");
  options.kv = "kvarn4-sink128";
  Engine engine = open_engine(options);
  const auto run_within = [&](int64_t bound, size_t count) {
    Scheduler scheduler(engine, {.idle_sessions_max = 0, .kv_bytes_max = bound});
    std::vector<Heard> heard(count);
    for (size_t i = 0; i < count; ++i) {
      const auto prompt = random_tokens(200, kVocab, 70 + i);
      EXPECT_TRUE(scheduler.submit(request_of_ids(prompt, 10), into(heard[i])).ok());
    }
    int64_t most = 0;
    while (scheduler.step()) most = std::max(most, engine.kv_bytes());
    return most;
  };
  const int64_t bound = 2 * run_within(0, 1) - 1;
  EXPECT_LE(run_within(bound, 2), bound);
}

TEST_F(SchedulerFaultsTest, PlacesInTheQueueAreThoseInWhichRequestsLeaveIt) {
  Scheduler scheduler(engine_, {.running_max = 1});
  Heard running;
  ASSERT_TRUE(scheduler.submit(request_of_ids({1, 2, 3}, 50), into(running)).ok());
  scheduler.step();
  std::vector<Heard> heard(3);
  for (size_t i = 0; i < 3; ++i) {
    ServiceRequest one = request_of_ids(random_tokens(50, kVocab, 40 + i), 3);
    one.priority = static_cast<int>(i);
    ASSERT_TRUE(scheduler.submit(one, into(heard[i])).ok());
  }
  scheduler.step();
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(heard[static_cast<size_t>(i)].places, std::vector<int64_t>{2 - i});
  }
  run(scheduler);
}

TEST_F(SchedulerFaultsTest, OneRequestRunsInAnyCase) {
  Scheduler scheduler(engine_, {.running_max = 0, .idle_sessions_max = 0, .kv_bytes_max = 1});
  std::vector<Heard> heard(2);
  const ServiceRequest wanted = request_of_ids(random_tokens(300, kVocab, 50), 3);
  for (Heard& one : heard) ASSERT_TRUE(scheduler.submit(wanted, into(one)).ok());
  for (int i = 0; i < 100 && scheduler.step(); ++i) {
  }
  for (const Heard& one : heard) expect_right(wanted, one);
  EXPECT_EQ(scheduler.metrics().idle_sessions, 0);
}

TEST_F(SchedulerFaultsTest, WhatKeepsAnswersFromBeginningIsSaidAtOnce) {
  Scheduler scheduler(engine_, {});
  ServiceRequest text = request_of_ids({1, 2}, 3);
  text.reply = ReplyKind::kText;
  ServiceRequest stopping = request_of_ids({1, 2}, 3);
  stopping.options.stop_strings = {"a"};
  for (const ServiceRequest& wrong : {text, stopping}) {
    const auto id = scheduler.submit(wrong, {});
    ASSERT_FALSE(id.ok());
    EXPECT_EQ(id.error().kind, ErrorKind::kUsage);
  }
}

TEST_F(SchedulerFaultsTest, CountsAgreeWithWhatSinksHear) {
  Scheduler scheduler(engine_, {.running_max = 2});
  std::vector<Heard> heard(4);
  std::vector<RequestId> ids;
  for (size_t i = 0; i < 4; ++i) {
    ids.push_back(
        *scheduler.submit(request_of_ids(random_tokens(100, kVocab, 60 + i), 20), into(heard[i])));
  }
  scheduler.step();
  EXPECT_EQ(scheduler.metrics().running_requests, 2);
  EXPECT_EQ(scheduler.metrics().waiting_requests, 2);
  EXPECT_EQ(scheduler.metrics().waiting_tokens, 200);
  scheduler.cancel(ids[3]);
  while (heard[0].tokens[0].size() < 5) scheduler.step();
  scheduler.cancel(ids[0]);
  EXPECT_GT(heard[0].usage.decode_ms, 0);
  run(scheduler);
  const ServiceMetrics metrics = scheduler.metrics();
  EXPECT_EQ(metrics.running_requests + metrics.waiting_requests + metrics.waiting_tokens, 0);
  EXPECT_EQ(metrics.finished_by_length, 2);
  EXPECT_EQ(metrics.cancelled, 2);
  EXPECT_EQ(metrics.generated_tokens, 45);
  EXPECT_EQ(metrics.computed_tokens, 300);
  EXPECT_EQ(metrics.decode_seconds.count, 3);
  EXPECT_GT(metrics.decode_seconds.sum, 0);
  EXPECT_EQ(metrics.first_token_seconds.count, 3);
  EXPECT_EQ(metrics.between_tokens_seconds.count, 42);
  EXPECT_EQ(metrics.request_seconds.count, 4);
}

}  // namespace
}  // namespace kvasir
