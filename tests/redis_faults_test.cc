// What a client of Redis makes of a network and a server that do wrong, at every step of the
// protocol: each call ends in time, an answer is right or there is none, and the next call finds a
// new connection.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/stopwatch.h"
#include "fault_proxy.h"
#include "real_redis.h"
#include "remote_objects.h"
#include "sanitized.h"

namespace kvasir::testing {
namespace {

using store::remote::LinkLimits;

constexpr size_t kSmallBytes = 40;
constexpr size_t kCount = 6;
// What a busy machine may add to a deadline; a call that hangs would never come back.
constexpr double kSmallMs = 3000;

class RedisFaults : public ::testing::Test {
 protected:
  RedisFaults() {
    const auto direct =
        client_of("redis://:secret@127.0.0.1:" + std::to_string(server_.port()) + "/2");
    for (uint64_t i = 0; i < kCount; ++i) {
      names_.push_back(name_of(i));
      objects_.push_back(bytes_of(i, i + 1 < kCount ? kSmallBytes : 300'000));
      EXPECT_EQ(*write_one(*direct, names_[i], objects_[i]), WriteOutcome::kWritten);
    }
  }

  // Through the proxy, by AUTH and SELECT.
  std::unique_ptr<ObjectClient> client(const LinkLimits& limits = kPatient) {
    return client_of("redis://:secret@127.0.0.1:" + std::to_string(proxy_.port()) + "/2", limits);
  }

  struct Answer {
    Status status = ok_status();
    std::vector<ReadOutcome> outcomes;
    std::vector<Bytes> bytes;
  };
  // Objects from first on, so many.
  Answer read(ObjectClient& client, size_t first, size_t count, Deadline deadline) {
    Answer answer;
    std::vector<ObjectRead> reads;
    for (size_t i = first; i < first + count; ++i) {
      answer.bytes.emplace_back(objects_[i].size());
      reads.push_back({.name = names_[i]});
    }
    for (size_t i = 0; i < count; ++i) reads[i].into = answer.bytes[i];
    answer.status = client.read(reads, deadline);
    for (const ObjectRead& one : reads) answer.outcomes.push_back(one.outcome);
    return answer;
  }

  // How many bytes of objects that were read are not theirs.
  int64_t wrong_bytes(const Answer& answer, size_t first) {
    int64_t wrong = 0;
    for (size_t i = 0; i < answer.outcomes.size(); ++i) {
      if (answer.outcomes[i] != ReadOutcome::kRead) continue;
      const Bytes& right = objects_[first + i];
      for (size_t at = 0; at < right.size(); ++at) wrong += right[at] != answer.bytes[i][at];
    }
    return wrong;
  }

  // All is well again: the same client finds a new connection.
  void expect_well(ObjectClient& client) {
    proxy_.set(FaultScript{});
    Answer answer = read(client, 0, 3, in_time());
    // What came of the old connection meanwhile may cost one call.
    if (!answer.status.ok()) answer = read(client, 0, 3, in_time());
    EXPECT_TRUE(answer.status.ok()) << (answer.status.ok() ? "" : answer.status.error().message());
    EXPECT_EQ(std::ranges::count(answer.outcomes, ReadOutcome::kRead), 3);
    EXPECT_EQ(wrong_bytes(answer, 0), 0);
  }

  // So many bytes answer AUTH, SELECT and a read of two.
  static constexpr int64_t kReplyBytes = 5 + 5 + 2 * (5 + kSmallBytes + 2);

  RealRedis server_{{.password = "secret"}};
  FaultProxy proxy_{server_.port(), 1};
  std::vector<ObjectName> names_;
  std::vector<Bytes> objects_;
};

TEST_F(RedisFaults, NothingIsLostThroughAProxyThatDoesNothing) {
  const auto through = client();
  const Answer answer = read(*through, 0, kCount, in_time());
  ASSERT_TRUE(answer.status.ok()) << answer.status.error().message();
  EXPECT_EQ(std::ranges::count(answer.outcomes, ReadOutcome::kRead), 6);
  EXPECT_EQ(wrong_bytes(answer, 0), 0);
  expect_well(*through);
  EXPECT_EQ(proxy_.connections(), 1);
}

TEST_F(RedisFaults, ConnectionsThatAreCutAreMadeAnew) {
  const auto through = client();
  for (int64_t i = 1; i <= 5; ++i) {
    expect_well(*through);
    EXPECT_EQ(proxy_.connections(), i);
    proxy_.reset_all();
    while (read(*through, 0, 1, in_time()).status.ok() && proxy_.connections() == i) {
    }
    if (proxy_.connections() == i) expect_well(*through);
  }
}

// The connection ends behind every byte of the answers, in both ways.
TEST_F(RedisFaults, AConnectionThatEndsAnywhere) {
  for (int64_t at = 0; at < kReplyBytes; ++at) {
    for (const bool is_reset : {false, true}) {
      proxy_.set(is_reset ? FaultScript{.reset_after = at} : FaultScript{.close_after = at});
      const auto through = client();
      const Answer answer = read(*through, 0, 2, in_time());
      ASSERT_FALSE(answer.status.ok()) << at;
      EXPECT_EQ(answer.status.error().kind, ErrorKind::kIo);
      EXPECT_EQ(wrong_bytes(answer, 0), 0);
      // A reset may overtake what was sent before it.
      if (!is_reset) {
        const bool has_first = at >= kReplyBytes - 47;
        EXPECT_EQ(answer.outcomes[0], has_first ? ReadOutcome::kRead : ReadOutcome::kUnknown);
      }
      EXPECT_EQ(answer.outcomes[1], ReadOutcome::kUnknown);
      if (at % 16 == 0) expect_well(*through);
    }
  }
}

TEST_F(RedisFaults, AConnectionThatGoesSilentAnywhere) {
  for (int64_t at = 0; at < kReplyBytes; at += 3) {
    proxy_.set({.stop_after = at});
    const auto through = client();
    const Stopwatch watch;
    const Answer answer = read(*through, 0, 2, in_ms(30));
    EXPECT_LT(watch.elapsed_ms(), 30 + kSmallMs);
    ASSERT_FALSE(answer.status.ok()) << at;
    EXPECT_EQ(answer.status.error().kind, ErrorKind::kInterrupted);
    EXPECT_EQ(wrong_bytes(answer, 0), 0);
    if (at % 15 == 0) expect_well(*through);
  }
}

// Every bit of the answers.
TEST_F(RedisFaults, AByteThatIsChangedAnywhere) {
  for (int64_t at = 0; at < kReplyBytes; ++at) {
    for (int bit = 0; bit < 8; bit += static_cast<int>(cases(1, 4))) {
      proxy_.set({.corrupt_at = at, .corrupt_bits = static_cast<uint8_t>(1 << bit)});
      const auto through = client();
      const bool is_in_object = at >= 10 && (at - 10) % 47 >= 5 && (at - 10) % 47 < 45;
      // Where a length has grown, what is missing never comes.
      const Answer answer = read(*through, 0, 2, is_in_object ? in_time() : in_ms(100));
      if (is_in_object) {
        // It is the caller's to find.
        EXPECT_TRUE(answer.status.ok());
        EXPECT_EQ(wrong_bytes(answer, 0), 1);
      } else {
        EXPECT_EQ(wrong_bytes(answer, 0), 0) << at << " " << bit;
        const bool is_all_read =
            answer.status.ok() && std::ranges::count(answer.outcomes, ReadOutcome::kRead) == 2;
        EXPECT_FALSE(is_all_read) << at << " " << bit;
      }
    }
  }
  expect_well(*client());
}

TEST_F(RedisFaults, ARequestThatDoesNotArriveWhole) {
  for (const int64_t at : {0, 1, 10, 30, 50, 60, 100, 130}) {
    proxy_.set({.stop_requests_after = at});
    const auto through = client();
    const Answer answer = read(*through, 0, 2, in_ms(30));
    ASSERT_FALSE(answer.status.ok()) << at;
    EXPECT_EQ(answer.status.error().kind, ErrorKind::kInterrupted);
    expect_well(*through);
  }
}

TEST_F(RedisFaults, OneThatRefusesOrNeverAnswers) {
  proxy_.set({.refuses = true});
  const auto through = client(LinkLimits{});
  EXPECT_EQ(read(*through, 0, 2, in_time()).status.error().kind, ErrorKind::kIo);
  // Connecting works; only that no answer comes says that it hangs.
  proxy_.set({.hangs = true});
  const Stopwatch watch;
  EXPECT_EQ(read(*through, 0, 2, in_time()).status.error().kind, ErrorKind::kIo);
  EXPECT_GE(watch.elapsed_ms(), 99);
  EXPECT_LT(watch.elapsed_ms(), 100 + kSmallMs);
}

TEST_F(RedisFaults, OneThatIsSlowIsGivenUp) {
  // 300 KB at 50 KB a second: after a second, too little has come.
  proxy_.set({.bytes_per_s = 50'000});
  const auto through = client(
      {.connect = std::chrono::milliseconds(5000), .first_byte = std::chrono::milliseconds(5000)});
  const Stopwatch watch;
  const Answer answer = read(*through, kCount - 1, 1, in_time());
  ASSERT_FALSE(answer.status.ok());
  EXPECT_NE(answer.status.error().message().find("too slow"), std::string::npos);
  EXPECT_LT(watch.elapsed_ms(), 1000 + kSmallMs);
  // Where that is fast enough it arrives.
  proxy_.set({.bytes_per_s = 400'000});
  const Answer later = read(*client(), kCount - 1, 1, in_time());
  EXPECT_TRUE(later.status.ok());
  EXPECT_EQ(wrong_bytes(later, kCount - 1), 0);
}

TEST_F(RedisFaults, ALargeWriteOverASlowLinkHasTheTimeItNeeds) {
  proxy_.set({.latency_ms = 20, .bytes_per_s = 4'000'000});
  const auto through = client(
      {.connect = std::chrono::milliseconds(5000), .first_byte = std::chrono::milliseconds(1000)});
  std::vector<Bytes> bytes;
  std::vector<ObjectWrite> writes;
  for (uint64_t i = 0; i < 8; ++i) bytes.push_back(bytes_of(i, 450'000));
  for (uint64_t i = 0; i < 8; ++i) writes.push_back({.name = name_of(100 + i), .bytes = bytes[i]});
  const Status status = through->write(writes, in_time());
  ASSERT_TRUE(status.ok()) << status.error().message();
  for (const ObjectWrite& one : writes) EXPECT_EQ(one.outcome, WriteOutcome::kWritten);
}

TEST_F(RedisFaults, LatencyCostsARoundTripAndNothingElse) {
  for (const auto& [requests, replies] : {std::pair{true, true}, {true, false}, {false, true}}) {
    proxy_.set({.latency_ms = 15,
                .jitter_ms = 10,
                .delays_requests = requests,
                .delays_replies = replies});
    const Answer answer = read(*client(), 0, kCount, in_time());
    EXPECT_TRUE(answer.status.ok());
    EXPECT_EQ(wrong_bytes(answer, 0), 0);
  }
}

// An answer too many is noticed before it could be taken for another's.
TEST_F(RedisFaults, AnswersTwice) {
  for (int64_t at = 0; at < 4; ++at) {
    proxy_.set({.duplicate_at = at});
    const auto through = client();
    for (int call = 0; call < 5; ++call) {
      // Within one pipeline the protocol has no means to tell answers of one length apart.
      const bool is_first = call == 0;
      const Answer answer = read(*through, 0, 2, is_first ? in_ms(500) : in_time());
      EXPECT_TRUE(is_first || (answer.status.ok() && wrong_bytes(answer, 0) == 0)) << at;
      proxy_.set(FaultScript{});
    }
  }
}

TEST_F(RedisFaults, AnswersInAnotherOrder) {
  for (int64_t at = 0; at < 3; ++at) {
    proxy_.set({.swap_at = at});
    const auto through = client();
    const Answer answer = read(*through, kCount - 2, 2, at == 0 ? in_time() : in_ms(500));
    // AUTH's and SELECT's answers are alike; objects of two lengths are not.
    EXPECT_EQ(wrong_bytes(answer, kCount - 2), 0);
    const int64_t count = std::ranges::count(answer.outcomes, ReadOutcome::kRead);
    EXPECT_EQ(count, at == 0 ? 2 : 0) << at;
    expect_well(*through);
  }
}

// Calls of all kinds, each on whatever connection there is.
TEST_F(RedisFaults, RandomScripts) {
  const int64_t seeds = cases(1000, 200);
  int64_t failed = 0;
  for (int64_t seed = 0; seed < seeds; ++seed) {
    Random random(static_cast<uint64_t>(seed));
    const FaultScript script = random_fault(random, 310'000);
    proxy_.set(script);
    const auto through = client(LinkLimits{});
    const bool mixes = script.duplicate_at >= 0 || script.swap_at >= 0;
    for (int call = 0; call < 3; ++call) {
      const Stopwatch watch;
      const Deadline deadline = in_ms(20);
      bool is_ok = false;
      switch (random.below(4)) {
        case 0: {
          const Answer answer = read(*through, 0, kCount, deadline);
          is_ok = answer.status.ok();
          const int64_t wrong = wrong_bytes(answer, 0);
          EXPECT_LE(wrong, script.corrupt_at >= 0 ? 1 : mixes ? wrong : 0) << seed;
          break;
        }
        case 1: {
          const auto is_present = through->probe(names_, deadline);
          is_ok = is_present.ok();
          EXPECT_TRUE(!is_ok || script.corrupt_at >= 0 ||
                      std::ranges::count(*is_present, true) == 6)
              << seed;
          break;
        }
        case 2:
          is_ok = write_one(*through, names_[0], objects_[1], 0, deadline).ok();
          break;
        default:
          is_ok = through->list("", deadline).ok();
      }
      failed += is_ok ? 0 : 1;
      EXPECT_LT(watch.elapsed_ms(), 20 + kSmallMs) << seed;
    }
    // A connection that has not failed by then goes on as its script says.
    if (seed % 20 == 0 && script.corrupt_at < 0 && !mixes) expect_well(*through);
  }
  EXPECT_GT(failed, seeds / 4);
  // What was there is there, and nobody overwrote it.
  proxy_.set(FaultScript{});
  const Answer answer = read(*client(), 0, kCount, in_time());
  EXPECT_EQ(std::ranges::count(answer.outcomes, ReadOutcome::kRead), 6);
  EXPECT_EQ(wrong_bytes(answer, 0), 0);
}

}  // namespace
}  // namespace kvasir::testing
