// What a request gets does not depend on what runs beside it; what is there already is not computed
// again; and nobody waits longer than the rules say.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine_driver.h"
#include "kvasir/scheduler.h"
#include "scheduler_driver.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::bundled;
using testing::expect_same_bits;
using testing::Heard;
using testing::into;
using testing::joined;
using testing::open_engine;
using testing::random_tokens;
using testing::request;
using testing::run;
using Kind = ServiceEvent::Kind;

constexpr int64_t kVocab = 4096;  // of the bundled model at least

Heard alone(const ServiceRequest& request) { return testing::alone(request, bundled()); }

TEST(SchedulerTest, GivesWhatGenerateGives) {
  Engine engine = open_engine(bundled());
  const auto prompt = random_tokens(300, kVocab, 1);
  Session session = testing::new_session(engine);
  ASSERT_TRUE(session.append(prompt).ok());
  GenerateOptions options = request(prompt, 40, 0.8).options;
  const Generated generated = *generate(engine, session, options);

  const Heard heard = alone(request(prompt, 40, 0.8));
  EXPECT_EQ(heard.texts.at(0), generated.text);
  ASSERT_EQ(heard.tokens.at(0).size(), generated.tokens.size());
  for (size_t i = 0; i < generated.tokens.size(); ++i) {
    EXPECT_EQ(heard.tokens.at(0)[i].id, generated.tokens[i]);
  }
  EXPECT_EQ(heard.ends.at(0), StopReason::kTokenLimit);
  EXPECT_EQ(heard.usage.computed_tokens, 300);
  EXPECT_EQ(heard.usage.reused_tokens(), 0);
  EXPECT_EQ(heard.usage.generated_tokens, 40);
}

// Requests come at random times, share prefixes or not, have salts, are cancelled; every one that
// ends gives the bits that it gives alone.
TEST(SchedulerTest, BitsDoNotDependOnWhatRunsBeside) {
  std::mt19937_64 random(5);
  const auto pick = [&](int64_t count) { return static_cast<int64_t>(random() % count); };
  const auto shared = random_tokens(400, kVocab, 2);
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {.running_max = 6});
  struct Sent {
    ServiceRequest request;
    Heard heard;
    RequestId id = 0;
  };
  std::vector<std::unique_ptr<Sent>> sent;
  for (int i = 0; i < 24; ++i) {
    auto one = std::make_unique<Sent>();
    std::vector<int32_t> prompt(shared.begin(), shared.begin() + pick(400));
    one->request = request(joined(prompt, random_tokens(1 + pick(150), kVocab, 50 + i)),
                           1 + pick(24), pick(2) == 0 ? 0 : 0.9);
    one->request.salt = pick(4) == 0 ? "other" : "";
    one->request.answer_count = pick(5) == 0 ? 3 : 1;
    sent.push_back(std::move(one));
  }
  for (const auto& one : sent) {
    const Result<RequestId> id = scheduler.submit(one->request, into(one->heard));
    ASSERT_TRUE(id.ok());
    one->id = *id;
    for (int64_t steps = pick(6); steps > 0; --steps) scheduler.step();
    if (pick(5) == 0) scheduler.cancel(sent[static_cast<size_t>(pick(std::ssize(sent)))]->id);
  }
  run(scheduler);
  int64_t done = 0;
  for (const auto& one : sent) {
    ASSERT_TRUE(one->heard.is_over());
    const Heard expected = alone(one->request);
    for (const auto& [answer, tokens] : one->heard.tokens) {
      const auto& all = expected.tokens.at(answer);
      ASSERT_LE(tokens.size(), all.size());
      expect_same_bits(tokens, {all.begin(), all.begin() + std::ssize(tokens)});
    }
    if (one->heard.kinds.back() != Kind::kDone) continue;
    ++done;
    EXPECT_EQ(one->heard.texts, expected.texts);
  }
  EXPECT_GT(done, 12);
}

TEST(SchedulerTest, EqualPrefixesThatComeTogetherAreComputedOnce) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  const auto shared = random_tokens(700, kVocab, 3);
  std::vector<Heard> heard(5);
  std::vector<ServiceRequest> requests;
  for (size_t i = 0; i < 4; ++i) {
    requests.push_back(request(joined(shared, random_tokens(10, kVocab, 60 + i)), 5));
  }
  requests.push_back(requests[0]);  // the same again
  for (size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(scheduler.submit(requests[i], into(heard[i])).ok());
  }
  run(scheduler);
  int64_t computed = 0;
  for (size_t i = 0; i < 5; ++i) {
    computed += heard[i].usage.computed_tokens;
    expect_same_bits(heard[i].tokens.at(0), alone(requests[i]).tokens.at(0));
  }
  EXPECT_EQ(computed, 740);
  EXPECT_EQ(heard[4].usage.computed_tokens, 0);
  EXPECT_EQ(heard[4].usage.reused_ram_tokens, 710);
}

TEST(SchedulerTest, SaltsShareNothing) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  std::vector<Heard> heard(3);
  ServiceRequest one = request(random_tokens(500, kVocab, 4), 3);
  for (size_t i = 0; i < 3; ++i) {
    one.salt = i == 1 ? "b" : "a";
    ASSERT_TRUE(scheduler.submit(one, into(heard[i])).ok());
  }
  run(scheduler);
  EXPECT_EQ(heard[0].usage.computed_tokens, 500);
  EXPECT_EQ(heard[1].usage.computed_tokens, 500);
  EXPECT_EQ(heard[2].usage.computed_tokens, 0);
}

TEST(SchedulerTest, TheNextTurnGoesOnFromTheLastToken) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  const auto prompt = random_tokens(200, kVocab, 5);
  Heard first;
  ASSERT_TRUE(scheduler.submit(request(prompt, 20), into(first)).ok());
  run(scheduler);
  std::vector<int32_t> next = prompt;
  for (const SampledToken& token : first.tokens.at(0)) next.push_back(token.id);
  next = joined(next, random_tokens(30, kVocab, 6));
  Heard second;
  ASSERT_TRUE(scheduler.submit(request(next, 5), into(second)).ok());
  run(scheduler);
  // The newest sampled id is not computed.
  EXPECT_EQ(second.usage.reused_ram_tokens, 219);
  EXPECT_EQ(second.usage.computed_tokens, 31);
  expect_same_bits(second.tokens.at(0), alone(request(next, 5)).tokens.at(0));
}

TEST(SchedulerTest, AShortRequestDoesNotWaitBehindALongOne) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  Heard longer;
  Heard shorter;
  ASSERT_TRUE(scheduler.submit(request(random_tokens(3000, kVocab, 7), 2), into(longer)).ok());
  scheduler.step();
  scheduler.step();
  ASSERT_TRUE(scheduler.submit(request(random_tokens(20, kVocab, 8), 4), into(shorter)).ok());
  while (!shorter.is_over()) ASSERT_TRUE(scheduler.step());
  EXPECT_FALSE(longer.is_over());
  EXPECT_EQ(longer.count(Kind::kStarted), 0);
  run(scheduler);
  EXPECT_EQ(longer.kinds.back(), Kind::kDone);
}

TEST(SchedulerTest, DecodersTakePartInEveryPass) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {.prefill_piece_ms = 1});
  Heard decoding;
  Heard longer;
  ASSERT_TRUE(scheduler.submit(request(random_tokens(20, kVocab, 9), 60), into(decoding)).ok());
  while (decoding.tokens[0].empty()) scheduler.step();
  ASSERT_TRUE(scheduler.submit(request(random_tokens(2000, kVocab, 10), 1), into(longer)).ok());
  while (!decoding.is_over()) {
    const size_t before = decoding.tokens[0].size();
    scheduler.step();
    ASSERT_EQ(decoding.tokens[0].size(), before + 1);
  }
  EXPECT_GT(longer.count(Kind::kPrefill), 20);
  run(scheduler);
  expect_same_bits(longer.tokens.at(0),
                   alone(request(random_tokens(2000, kVocab, 10), 1)).tokens.at(0));
}

TEST(SchedulerTest, ACancelledRequestLeavesWhatWasComputed) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  const auto prompt = random_tokens(2000, kVocab, 11);
  Heard cancelled;
  const RequestId id = *scheduler.submit(request(prompt, 5), into(cancelled));
  for (int i = 0; i < 4; ++i) scheduler.step();
  scheduler.cancel(id);
  ASSERT_TRUE(cancelled.is_over());
  EXPECT_EQ(cancelled.error->kind, ErrorKind::kInterrupted);
  EXPECT_FALSE(scheduler.step());
  Heard again;
  ASSERT_TRUE(scheduler.submit(request(prompt, 5), into(again)).ok());
  run(scheduler);
  EXPECT_EQ(again.usage.reused_ram_tokens, cancelled.usage.computed_tokens);
  EXPECT_GE(again.usage.reused_ram_tokens, 1024);
  expect_same_bits(again.tokens.at(0), alone(request(prompt, 5)).tokens.at(0));
}

TEST(SchedulerTest, FollowersGoOnWhereACancelledLeaderWas) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  const auto prompt = random_tokens(2000, kVocab, 12);
  std::vector<Heard> heard(3);
  const RequestId leader = *scheduler.submit(request(prompt, 5), into(heard[0]));
  ASSERT_TRUE(scheduler.submit(request(prompt, 5), into(heard[1])).ok());
  ASSERT_TRUE(scheduler.submit(request(prompt, 5), into(heard[2])).ok());
  for (int i = 0; i < 3; ++i) scheduler.step();
  scheduler.cancel(leader);
  run(scheduler);
  EXPECT_EQ(heard[0].kinds.back(), Kind::kFailed);
  int64_t computed = heard[0].usage.computed_tokens;
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(heard[i].kinds.back(), Kind::kDone);
    computed += heard[i].usage.computed_tokens;
  }
  EXPECT_EQ(computed, 2000);
}

TEST(SchedulerTest, ADeadlineEndsARequest) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  ServiceRequest late = request(random_tokens(100, kVocab, 13), 1000);
  late.deadline = ServiceClock::now();
  Heard heard;
  ASSERT_TRUE(scheduler.submit(late, into(heard)).ok());
  run(scheduler);
  ASSERT_TRUE(heard.error.has_value());
  EXPECT_EQ(heard.error->kind, ErrorKind::kInterrupted);
}

TEST(SchedulerTest, TheQueueIsBounded) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {.running_max = 1, .queued_requests_max = 2});
  std::vector<Heard> heard(4);
  for (size_t i = 0; i < 3; ++i) {
    const auto id = scheduler.submit(request(random_tokens(50, kVocab, i), 3), into(heard[i]));
    ASSERT_EQ(id.ok(), i < 2);
    EXPECT_TRUE(id.ok() || id.error().kind == ErrorKind::kBusy);
  }
  EXPECT_TRUE(heard[2].kinds.empty());
  scheduler.step();
  EXPECT_EQ(heard[1].kinds, std::vector<Kind>{Kind::kWaiting});
  EXPECT_EQ(scheduler.metrics().waiting_requests, 1);
  run(scheduler);
  EXPECT_EQ(heard[1].kinds.back(), Kind::kDone);
  EXPECT_EQ(scheduler.metrics().refused, 1);
}

TEST(SchedulerTest, PrioritiesLeaveTheQueueFirst) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {.running_max = 1});
  std::vector<Heard> heard(3);
  for (size_t i = 0; i < 3; ++i) {
    ServiceRequest one = request(random_tokens(50, kVocab, i), 3);
    one.priority = static_cast<int>(i);
    ASSERT_TRUE(scheduler.submit(one, into(heard[i])).ok());
  }
  while (!heard[2].is_over()) scheduler.step();
  EXPECT_FALSE(heard[0].is_over() || heard[1].is_over());
  while (!heard[1].is_over()) scheduler.step();
  EXPECT_FALSE(heard[0].is_over());
  run(scheduler);
}

TEST(SchedulerTest, WrongRequestsAreRefused) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  ServiceRequest outside = request({1, 2, 1 << 30}, 3);
  ServiceRequest empty = request({}, 3);
  ServiceRequest hot = request({1}, 3, -1);
  ServiceRequest many = request({1}, 3);
  many.answer_count = 1000;
  for (const ServiceRequest& wrong : {outside, empty, hot, many}) {
    const auto id = scheduler.submit(wrong, {});
    ASSERT_FALSE(id.ok());
    EXPECT_EQ(id.error().kind, ErrorKind::kUsage);
  }
}

TEST(SchedulerTest, PromptLogprobsAreThoseOfTheWholePrompt) {
  Engine engine = open_engine(bundled());
  const auto prompt = random_tokens(200, kVocab, 14);
  Scheduler scheduler(engine, {});
  Heard plain;
  ASSERT_TRUE(scheduler.submit(request(prompt, 3), into(plain)).ok());
  run(scheduler);
  Heard heard;
  ServiceRequest wanting = request(prompt, 3);
  wanting.wants_prompt_logprobs = true;
  ASSERT_TRUE(scheduler.submit(wanting, into(heard)).ok());
  run(scheduler);
  ASSERT_EQ(heard.prompt_logprobs.size(), 200u);
  for (size_t i = 0; i < 200; ++i) EXPECT_EQ(heard.prompt_logprobs[i].id, prompt[i]);
  expect_same_bits(heard.tokens.at(0), plain.tokens.at(0));
  // The last of the prompt, sampled: what a shorter prompt is told about its next token.
  ServiceRequest shorter = request({prompt.begin(), prompt.end() - 1}, 1);
  const SampledToken next = alone(shorter).tokens.at(0)[0];
  EXPECT_EQ(heard.prompt_logprobs.back().most_likely[0].logprob, next.most_likely[0].logprob);
}

TEST(SchedulerTest, TokenLimitZeroComputesThePromptAlone) {
  Engine engine = open_engine(bundled());
  Scheduler scheduler(engine, {});
  const auto prompt = random_tokens(300, kVocab, 15);
  Heard warm;
  ASSERT_TRUE(scheduler.submit(request(prompt, 0), into(warm)).ok());
  run(scheduler);
  EXPECT_EQ(warm.ends.at(0), StopReason::kTokenLimit);
  EXPECT_EQ(warm.usage.generated_tokens, 0);
  Heard heard;
  ASSERT_TRUE(scheduler.submit(request(prompt, 2), into(heard)).ok());
  run(scheduler);
  EXPECT_EQ(heard.usage.computed_tokens, 0);
}

// A budget for two sessions and eight requests that decode at once: some wait, none fails, and the
// bits are those without a budget.
TEST(SchedulerTest, ABudgetMakesRequestsWaitAndChangesNoBit) {
  testing::TempDirectory directory;
  EngineOptions options = bundled();
  options.store = StoreOptions{.directory = directory.file("store"), .min_free_bytes = 0};
  options.ram_bytes = int64_t{1} << 40;
  options.ram_bytes = open_engine(options).ram_bytes_min(1500);
  Engine engine = open_engine(options);
  Scheduler scheduler(engine, {});
  std::vector<Heard> heard(8);
  std::vector<ServiceRequest> requests;
  for (size_t i = 0; i < 8; ++i) {
    requests.push_back(request(random_tokens(300, kVocab, 20 + i), 40));
    ASSERT_TRUE(scheduler.submit(requests.back(), into(heard[i])).ok());
  }
  run(scheduler);
  for (size_t i = 0; i < 8; ++i) {
    ASSERT_EQ(heard[i].kinds.back(), Kind::kDone)
        << (heard[i].error ? heard[i].error->message() : "");
    expect_same_bits(heard[i].tokens.at(0), alone(requests[i]).tokens.at(0));
  }
}

}  // namespace
}  // namespace kvasir
