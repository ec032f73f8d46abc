// Conversations with a server that is killed and started again: the next turn computes little, and
// its answers are those of a server that was never stopped. So they are while the disk is full and
// where its bytes are no longer those that were written.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/json.h"
#include "engine_driver.h"
#include "http_client.h"
#include "sanitized.h"
#include "server_process.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::ask_http;
using testing::random_tokens;
using testing::ServerProcess;
using testing::wait_until_saved;
using Tokens = std::vector<int32_t>;

int64_t conversation_tokens() {
  if (const char* text = std::getenv("KVASIR_RESTART_TOKENS")) return std::atoll(text);
  return testing::cases(20'000, 2'000);
}

// What a server said to a prompt.
struct Said {
  std::string choices;  // texts and log-probabilities, as they were written
  int64_t cached_tokens = -1;
};

const Json* member(const Json* json, std::initializer_list<const char*> path) {
  for (const char* name : path) json = json == nullptr ? nullptr : json->find(name);
  return json;
}

Said say(const ServerProcess& server, const Tokens& prompt) {
  std::string body = R"({"model":"m","max_tokens":12,"logprobs":5,"temperature":0,"prompt":[)";
  for (const int32_t id : prompt) body += std::to_string(id) + ",";
  body.back() = ']';
  const testing::HttpAnswer answer = ask_http(server.port(), "/v1/completions", body + "}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  const auto json = Json::parse(answer.body, "an answer");
  if (!json.ok()) return {};
  const Json* choices = member(&*json, {"choices"});
  const Json* cached = member(&*json, {"usage", "prompt_tokens_details", "cached_tokens"});
  EXPECT_TRUE(choices != nullptr && cached != nullptr) << answer.body;
  if (choices == nullptr || cached == nullptr) return {};
  return {choices->dump(), *cached->as_integer()};
}

std::vector<Said> say_at_once(const ServerProcess& server, const std::vector<Tokens>& prompts) {
  std::vector<Said> said(prompts.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < prompts.size(); ++i) {
    threads.emplace_back([&, i] { said[i] = say(server, prompts[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  return said;
}

int64_t boundary_before(int64_t tokens) { return tokens / 128 * 128; }

class ServeRestartTest : public ::testing::Test {
 protected:
  ServeRestartTest() {
    conversations_.push_back(random_tokens(conversation_tokens(), 4096, 1));
    for (uint64_t i = 2; i <= 8; ++i) {
      conversations_.push_back(random_tokens(300 + 100 * static_cast<int64_t>(i), 4096, i));
    }
  }

  std::vector<std::string> arguments() const { return {"--store", directory_.file("store")}; }

  std::vector<Tokens> next_turns() const {
    std::vector<Tokens> turns = conversations_;
    for (Tokens& turn : turns) turn.insert(turn.end(), {7, 8, 9});
    return turns;
  }

  // In the middle of each page of every segment.
  void damage_store() const {
    for (const auto& entry : std::filesystem::directory_iterator(directory_.file("store"))) {
      if (entry.path().extension() != ".kvs") continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const auto size = static_cast<int64_t>(std::filesystem::file_size(entry.path()));
      for (int64_t at = 2048; at < size; at += 4096 * 8) {
        file.seekg(at);
        const int byte = file.get();
        file.seekp(at);
        file.put(static_cast<char>(byte ^ 1));
      }
    }
  }

  static void expect_same(const std::vector<Said>& a, const std::vector<Said>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_FALSE(a[i].choices.empty());
      EXPECT_EQ(a[i].choices, b[i].choices) << "session " << i;
    }
  }

  testing::TempDirectory directory_;
  std::vector<Tokens> conversations_;  // the first one is long
};

TEST_F(ServeRestartTest, ConversationsGoOnAfterAKillAndBesideDamage) {
  std::vector<Said> expected;
  {
    ServerProcess server(arguments());
    (void)say_at_once(server, conversations_);
    expected = say_at_once(server, next_turns());
    wait_until_saved(server.port());
    server.kill();
  }
  {
    ServerProcess server(arguments());
    const std::vector<Said> said = say_at_once(server, next_turns());
    expect_same(said, expected);
    for (size_t i = 0; i < said.size(); ++i) {
      EXPECT_EQ(said[i].cached_tokens, boundary_before(std::ssize(conversations_[i]))) << i;
    }
    wait_until_saved(server.port());
    server.kill();
  }
  // Nothing of it is in memory when the bytes on disk change. The long one would be computed again.
  conversations_.erase(conversations_.begin());
  expected.erase(expected.begin());
  ServerProcess server(arguments());
  damage_store();
  expect_same(say_at_once(server, next_turns()), expected);
  EXPECT_EQ(server.terminate(), 0);
}

TEST_F(ServeRestartTest, AFullDiskCostsTimeAlone) {
  conversations_.erase(conversations_.begin(), conversations_.end() - 3);
  std::vector<Said> expected;
  {
    ServerProcess server({"--no-store"});
    expected = say_at_once(server, next_turns());
    server.kill();
  }
  for (const int64_t bytes : {300'000, 0}) {
    ServerProcess server(arguments(), bytes);
    (void)say_at_once(server, conversations_);
    expect_same(say_at_once(server, next_turns()), expected);
    server.kill();
  }
}

}  // namespace
}  // namespace kvasir
