// Two servers with separate stores over one Redis server: what one computed goes on at the other,
// with the bits of one server alone; a server that goes down leaves what it has behind; and an
// engine that dies, or hangs, costs reuse and no answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "base/json.h"
#include "cli_driver.h"
#include "engine_driver.h"
#include "http_client.h"
#include "real_redis.h"
#include "server_process.h"

namespace kvasir {
namespace {

using testing::ask_http;
using testing::HttpAnswer;
using testing::random_tokens;
using testing::RealRedis;
using testing::ServerProcess;
using Tokens = std::vector<int32_t>;

// What an engine has is brought only where that is faster than computing it, and a machine may be
// so busy that it is not: then another conversation is tried.
constexpr uint64_t kTries = 8;

constexpr const char* kHandover = "X-Kvasir-Handover: 1\r\n";

std::string body_of(const Tokens& prompt, const std::string& more = "") {
  std::string body = R"({"max_tokens":8,"logprobs":5,"temperature":0,)" + more + R"("prompt":[)";
  for (const int32_t id : prompt) body += std::to_string(id) + ",";
  body.back() = ']';
  return body + "}";
}

HttpAnswer say(const ServerProcess& server, const Tokens& prompt, std::string_view headers = {}) {
  HttpAnswer answer = ask_http(server.port(), "/v1/completions", body_of(prompt), headers);
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer;
}

// Texts and log-probabilities, as they were written.
std::string choices_of(const HttpAnswer& answer) {
  const auto json = Json::parse(answer.body, "an answer");
  const Json* choices = json.ok() ? json->find("choices") : nullptr;
  return choices == nullptr ? "none" : choices->dump();
}

int64_t cached_tokens_of(const HttpAnswer& answer) {
  const auto json = Json::parse(answer.body, "an answer");
  const Json* cached = json.ok() ? json->find("usage") : nullptr;
  for (const char* name : {"prompt_tokens_details", "cached_tokens"}) {
    cached = cached == nullptr ? nullptr : cached->find(name);
  }
  return cached == nullptr ? -1 : *cached->as_integer();
}

// Of the first line of a family that has that label. -1: there is none.
int64_t metric(const ServerProcess& server, const std::string& family,
               const std::string& label = "") {
  const std::string text = ask_http(server.port(), "/metrics").body;
  for (size_t at = text.find("\n" + family + "{"); at != std::string::npos;
       at = text.find("\n" + family + "{", at + 1)) {
    const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    if (line.find(label) != std::string::npos) return std::stoll(line.substr(line.rfind(' ')));
  }
  return -1;
}

int64_t remote_tokens(const ServerProcess& server) {
  return metric(server, "kvasir_prompt_tokens_by_source_total", "source=\"remote\"");
}

// False: it took too long.
bool wait_until(const std::function<bool()>& is_so) {
  for (int tries = 0; tries < 600; ++tries) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

bool wait_until_written(const ServerProcess& server, int64_t chains) {
  return wait_until([&] { return metric(server, "kvasir_remote_written_chains_total") >= chains; });
}

Tokens next_turn(Tokens tokens) {
  tokens.insert(tokens.end(), {7, 8, 9});
  return tokens;
}

int64_t boundary_before(int64_t tokens) { return tokens / 128 * 128; }

class ServeClusterTest : public testing::CliTest {
 protected:
  void SetUp() override {
    if (!testing::redis_program(testing::RedisFlavour::kRedis)) {
      GTEST_SKIP() << "no redis-server (Debian: redis-tools)";
    }
    redis_.emplace();
  }

  // A server with a store of its own.
  std::vector<std::string> arguments(const std::string& store) const {
    return {"--store", directory_.file(store), "--remote", redis_->url()};
  }

  // Expects that a command line is refused in one line that has these words.
  void expect_refused(const std::string& arguments, const std::string& words) {
    const testing::Outcome outcome =
        run("serve --port 0 --store '" + directory_.file("s") + "' " + arguments);
    EXPECT_TRUE(outcome.exit_status == 1 || outcome.exit_status == 2) << outcome.exit_status;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n') + 1, outcome.err.size()) << outcome.err;
  }

  // Has conversations of a few hundred tokens at one server, and goes on at another, until some
  // tokens come from the engine. Returns how many.
  static int64_t tokens_after_short_turn(const ServerProcess& first, const ServerProcess& second,
                                         const char* headers) {
    const int64_t before = remote_tokens(second);
    int64_t found = 0;
    for (uint64_t seed = 1; found == 0 && seed <= kTries; ++seed) {
      const Tokens prompt = random_tokens(400, 4096, 100 + seed);
      (void)say(first, prompt, headers);
      (void)say(second, next_turn(prompt));
      found = remote_tokens(second) - before;
    }
    return found;
  }

  std::optional<RealRedis> redis_;
};

TEST_F(ServeClusterTest, AConversationGoesOnAtAnotherServer) {
  const ServerProcess alone({"--no-store"});
  ServerProcess first(arguments("a"));
  ServerProcess second(arguments("b"));
  int64_t found = 0;
  for (uint64_t seed = 1; found == 0 && seed <= kTries; ++seed) {
    const Tokens prompt = random_tokens(3000, 4096, seed);
    (void)say(first, prompt);
    ASSERT_TRUE(wait_until_written(first, static_cast<int64_t>(seed)));
    const HttpAnswer answer = say(second, next_turn(prompt));
    EXPECT_EQ(choices_of(answer), choices_of(say(alone, next_turn(prompt))));
    found = cached_tokens_of(answer);
  }
  EXPECT_EQ(found, boundary_before(3000));
  EXPECT_EQ(remote_tokens(second), found);
  const std::string view = ask_http(second.port(), "/kvasir/cache").body;
  EXPECT_NE(view.find(R"("reused_remote_tokens":2944,"computed_tokens":59)"), std::string::npos)
      << view;
  EXPECT_EQ(first.terminate(), 0);
  EXPECT_EQ(second.terminate(), 0);
}

TEST_F(ServeClusterTest, MetricsNameTheEngine) {
  ServerProcess server(arguments("a"));
  (void)say(server, random_tokens(1500, 4096, 2));
  ASSERT_TRUE(wait_until_written(server, 1));
  const std::string label = "endpoint=\"" + redis_->url() + "\"";
  EXPECT_GT(metric(server, "kvasir_remote_written_objects_total", label), 11);
  EXPECT_GT(metric(server, "kvasir_remote_written_bytes_total", label), 100'000);
  EXPECT_EQ(metric(server, "kvasir_remote_is_closed_off", label), 0);
  EXPECT_EQ(metric(server, "kvasir_remote_failures_total", label), 0);
  EXPECT_GT(metric(server, "kvasir_remote_call_seconds_count", label + ",operation=\"probe\""), 0);
  EXPECT_EQ(metric(server, "kvasir_remote_lookups_total"), 1);
  EXPECT_EQ(metric(server, "kvasir_remote_requested_tokens_total"), 1408);
  EXPECT_EQ(metric(server, "kvasir_remote_queued_chains"), 0);
}

TEST_F(ServeClusterTest, AnswersNameTheirConversation) {
  ServerProcess server(arguments("a"));
  const Tokens prompt = {1, 2, 3};
  const auto session_of = [&](const std::string& headers, const std::string& more = "") {
    return ask_http(server.port(), "/v1/completions", body_of(prompt, more), headers)
        .header("x-kvasir-session");
  };
  EXPECT_EQ(session_of("X-Kvasir-Session: agent-7\r\n"), "agent-7");
  EXPECT_EQ(session_of("X-Session-Id: chat.8\r\n"), "chat.8");
  EXPECT_EQ(session_of("", R"("prompt_cache_key":"k9",)"), "k9");
  EXPECT_EQ(session_of("X-Kvasir-Session: agent-7\r\n", R"("prompt_cache_key":"k9",)"), "agent-7")
      << "a proxy has hashed it";
  EXPECT_EQ(session_of("X-Kvasir-Session: agent-7\r\n", R"("stream":true,)"), "agent-7");
  const std::string made_up = session_of("");
  EXPECT_GE(made_up.size(), 16u);
  EXPECT_NE(session_of(""), made_up);
}

TEST_F(ServeClusterTest, AShortConversationThatIsHandedOverGoesOnAtOnce) {
  ServerProcess first(arguments("a"));
  ServerProcess second(arguments("b"));
  EXPECT_EQ(tokens_after_short_turn(first, second, kHandover), 384);
}

// A person writes the next turn meanwhile; and then the engine is not needed any more.
TEST_F(ServeClusterTest, WhatIsPrefetchedIsThereWhenTheTurnComes) {
  ServerProcess first(arguments("a"));
  ServerProcess second(arguments("b"));
  Tokens prompt;
  const auto hits = [&] { return metric(second, "kvasir_remote_hit_tokens_total"); };
  for (uint64_t seed = 1; hits() == 0 && seed <= kTries; ++seed) {
    prompt = random_tokens(3000, 4096, 400 + seed);
    (void)say(first, prompt, kHandover);
    const HttpAnswer answer =
        ask_http(second.port(), "/v1/completions", body_of(prompt), "X-Kvasir-Prefetch: 1\r\n");
    EXPECT_EQ(answer.status, 202);
    EXPECT_EQ(answer.body, R"({"object":"kvasir.prefetch","input_tokens":3000})");
    for (int i = 0; i < 40 && hits() == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  EXPECT_EQ(metric(second, "kvasir_prompt_tokens_total"), 0) << "it was no prompt";
  redis_->kill();
  const HttpAnswer answer = say(second, next_turn(prompt));
  EXPECT_EQ(cached_tokens_of(answer), boundary_before(3000));
  EXPECT_EQ(remote_tokens(second), 0);
}

TEST_F(ServeClusterTest, AShortConversationIsNotWritten) {
  ServerProcess first(arguments("a"));
  ServerProcess second(arguments("b"));
  EXPECT_EQ(tokens_after_short_turn(first, second, ""), 0);
}

// Both look for what the other is about to write, and remember for a while what they did not find.
TEST_F(ServeClusterTest, AConversationGoesToAndFro) {
  const ServerProcess first(arguments("a"));
  const ServerProcess second(arguments("b"));
  constexpr int kTurns = 8;
  int most_found = 0;  // turns, of one conversation
  for (uint64_t seed = 60; most_found < kTurns && seed < 60 + kTries; ++seed) {
    Tokens prompt = random_tokens(300, 4096, seed);
    (void)say(first, prompt, kHandover);
    int found = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
      const int64_t before = boundary_before(std::ssize(prompt));
      const Tokens added = random_tokens(150, 4096, 1000 * seed + static_cast<uint64_t>(turn));
      prompt.insert(prompt.end(), added.begin(), added.end());
      const HttpAnswer answer = say(turn % 2 == 0 ? second : first, prompt, kHandover);
      found += cached_tokens_of(answer) == before;
    }
    most_found = std::max(most_found, found);
  }
  EXPECT_EQ(most_found, kTurns);
}

TEST_F(ServeClusterTest, EachKeyHasItsOwnCacheAtAllServers) {
  const std::string keys = directory_.file("keys");
  testing::write_file(keys, "the key of somebody\nthe key of another one\n");
  std::filesystem::permissions(keys, std::filesystem::perms{0600});
  const auto with_keys = [&](const std::string& store) {
    std::vector<std::string> all = arguments(store);
    all.insert(all.end(), {"--api-key-file", keys});
    return all;
  };
  const std::string own = std::string(kHandover) + "X-Api-Key: the key of somebody\r\n";
  const std::string others = "X-Api-Key: the key of another one\r\n";
  ServerProcess first(with_keys("a"));
  ServerProcess second(with_keys("b"));
  int64_t found = 0;
  for (uint64_t seed = 50; found == 0 && seed < 50 + kTries; ++seed) {
    const Tokens prompt = random_tokens(2000, 4096, seed);
    (void)say(first, prompt, own);
    const Tokens later = next_turn(prompt);
    found = cached_tokens_of(say(second, later, own));
    EXPECT_EQ(cached_tokens_of(say(second, later, others)), 0);
  }
  EXPECT_EQ(found, boundary_before(2000));
}

TEST_F(ServeClusterTest, AServerThatGoesDownLeavesItsConversationsToOthers) {
  std::vector<Tokens> prompts;
  for (uint64_t seed = 20; seed < 24; ++seed) prompts.push_back(random_tokens(2500, 4096, seed));
  {
    ServerProcess first(arguments("a"));
    for (const Tokens& prompt : prompts) (void)say(first, prompt);
    EXPECT_EQ(first.terminate(), 0);
  }
  ServerProcess second(arguments("b"));
  int64_t found = 0;
  for (const Tokens& prompt : prompts) {
    found += cached_tokens_of(say(second, next_turn(prompt))) == boundary_before(2500);
  }
  EXPECT_GT(found, 0);
  EXPECT_TRUE(wait_until([&] {
    return found + metric(second, "kvasir_remote_given_up_total") == std::ssize(prompts);
  })) << found;
}

TEST_F(ServeClusterTest, AServerGoesDownWhileItsEngineHangs) {
  ServerProcess server(arguments("a"));
  redis_->stop();
  (void)say(server, random_tokens(2500, 4096, 30), kHandover);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.terminate(), 0);
  // It waits for 10 s at most.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(ServeClusterTest, AServerThatGoesDownIsNotReady) {
  ServerProcess server({"--no-store", "--drain", "3"});
  EXPECT_EQ(ask_http(server.port(), "/ready").status, 200);
  std::thread client([&] {
    (void)ask_http(server.port(), "/v1/completions",
                   R"({"prompt":[1],"max_tokens":100000,"ignore_eos":true})");
  });
  ASSERT_TRUE(wait_until([&] { return metric(server, "kvasir_num_requests_running") == 1; }));
  // No connection is taken any more then, so they are there before.
  std::vector<std::unique_ptr<testing::HttpConnection>> connections;
  for (int i = 0; i < 60; ++i) {
    connections.push_back(std::make_unique<testing::HttpConnection>(server.port()));
    ASSERT_TRUE(connections.back()->send("GET /ready HTTP/1.1\r\nHost: localhost\r\n"));
  }
  server.ask_to_end();
  HttpAnswer answer;
  for (const auto& connection : connections) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ASSERT_TRUE(connection->send("Connection: close\r\n\r\n"));
    answer = connection->last_answer();
    if (answer.status != 200) break;
  }
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("going down"), std::string::npos) << answer.body;
  client.join();
  EXPECT_EQ(server.wait(), 0);
}

TEST_F(ServeClusterTest, AnEngineThatDiesCostsReuseAlone) {
  const Tokens prompt = random_tokens(3000, 4096, 40);
  ServerProcess first(arguments("a"));
  ServerProcess second(arguments("b"));
  const std::string expected = choices_of(say(first, prompt));
  redis_->kill();
  EXPECT_EQ(choices_of(say(second, prompt)), expected);
  for (uint64_t seed = 41; seed < 46; ++seed) {
    const Tokens other = random_tokens(1500, 4096, seed);
    EXPECT_EQ(choices_of(say(first, other, kHandover)), choices_of(say(second, other, kHandover)));
  }
  EXPECT_EQ(remote_tokens(second), 0);
  EXPECT_TRUE(wait_until([&] { return metric(second, "kvasir_remote_is_closed_off") == 1; }));
  redis_->restart();
  ASSERT_TRUE(wait_until([&] {
    (void)say(first, random_tokens(200, 4096, 47));
    return metric(first, "kvasir_remote_is_closed_off") == 0;
  }));
  const Tokens later = random_tokens(3000, 4096, 48);
  (void)say(first, later);
  EXPECT_TRUE(wait_until_written(first, 1));
}

TEST_F(ServeClusterTest, WrongOptionsAreToldInALine) {
  expect_refused("--remote http://10.0.0.1", "redis+cluster://");
  expect_refused("--remote redis://host:none", "the port of a remote address is none");
  expect_refused("--remote s3://caches/kvasir", "the address of an S3 store names no endpoint");
  expect_refused("--remote-secret nothing", "--remote");
  const std::string remote = "--remote " + redis_->url() + " ";
  expect_refused(remote + "--remote-encrypt", "--remote-secret");
  const std::string secret = directory_.file("secret");
  expect_refused(remote + "--remote-secret '" + secret + "'", "No such file");
  testing::write_file(secret, "short\n");
  std::filesystem::permissions(secret, std::filesystem::perms{0644});
  expect_refused(remote + "--remote-secret '" + secret + "'", "chmod 600");
  std::filesystem::permissions(secret, std::filesystem::perms{0600});
  expect_refused(remote + "--remote-secret '" + secret + "'", "expected 16 bytes at least");
}

}  // namespace
}  // namespace kvasir
