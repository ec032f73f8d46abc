// The program as a user runs it: the command-line contract.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "base/json.h"
#include "checkpoint_maker.h"
#include "cli_driver.h"
#include "npy.h"

namespace kvasir {
namespace {

using testing::CliTest;
using testing::Outcome;
using testing::read_file;

TEST_F(CliTest, RunPrintsTextOnStandardOutputAndASummaryOnStandardError) {
  const Outcome outcome = run("run --prompt 'It is a truth' --max-tokens 8");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_FALSE(outcome.out.empty());
  EXPECT_NE(outcome.err.find("prompt tokens"), std::string::npos);
  EXPECT_NE(outcome.err.find("; first token after "), std::string::npos);
}

TEST_F(CliTest, RunJsonIsOneObjectWithTheContractsFields) {
  testing::write_file(directory_.file("prompt"), "It is a truth");
  const Outcome outcome =
      run("run --prompt-file " + directory_.file("prompt") + " --max-tokens 8 --json");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(outcome.err.empty()) << outcome.err;
  const auto json = Json::parse(outcome.out, "run --json");
  ASSERT_TRUE(json.ok()) << json.error().message();
  for (const char* name :
       {"prompt_tokens", "computed_tokens", "generated_tokens", "kv_bytes", "rss_peak_bytes"}) {
    EXPECT_GT(integer(*json, name), 0) << name;
  }
  for (const char* name : {"reused_tokens", "store_read_bytes", "store_written_bytes"}) {
    EXPECT_EQ(integer(*json, name), 0) << name;
  }
  for (const char* name : {"ttft_ms", "prefill_ms", "decode_ms"}) {
    ASSERT_NE(json->find(name), nullptr) << name;
    EXPECT_NE(json->find(name)->as_double(), nullptr) << name;
  }
  EXPECT_NE(json->find("text")->as_string(), nullptr);
}

TEST_F(CliTest, ChatAnswersLineByLineAndReusesItsCache) {
  const Outcome outcome = run("chat --max-tokens 8 --json", "Hello\n\nWho are you?\n");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  const size_t end = outcome.out.find('\n');
  const auto first = Json::parse(outcome.out.substr(0, end), "turn 1");
  const auto second = Json::parse(outcome.out.substr(end + 1), "turn 2");
  ASSERT_TRUE(first.ok() && second.ok()) << outcome.out;
  EXPECT_EQ(integer(*first, "reused_tokens"), 0);
  EXPECT_GE(integer(*second, "reused_tokens"), integer(*first, "prompt_tokens"));
}

TEST_F(CliTest, LogitsAreTheSameForAnyChunkAndThreadCount) {
  const std::string tokens =
      " --tokens " + golden_ + "/tokens.txt --out " + directory_.file("a.npy");
  ASSERT_EQ(run("logits --model " + golden_ + tokens).exit_status, 0);
  const std::string whole = read_file(directory_.file("a.npy"));
  ASSERT_EQ(run("logits --model " + golden_ + tokens + " --chunk 37 --threads 3").exit_status, 0);
  EXPECT_EQ(read_file(directory_.file("a.npy")), whole);
  const auto array = testing::read_float_npy(directory_.file("a.npy"));
  EXPECT_EQ(array.shape, (std::vector<int64_t>{400, 320}));
}

TEST_F(CliTest, BenchRowsKnowsWhatACacheOfRowsCouldHit) {
  const Json result = run_json("bench rows --tokens 4096 --json");
  EXPECT_GT(*result.find("recent_share")->as_double(), *result.find("kept_share")->as_double());
  double smaller = 0;
  for (const Json& size : *result.find("sizes")->as_array()) {
    const double best = *size.find("best")->as_double();
    EXPECT_GT(best, smaller);
    EXPECT_LE(best, 1);
    for (const char* policy : {"ours", "least_recent", "least_used"}) {
      EXPECT_GT(*size.find(policy)->as_double(), 0) << policy;
      EXPECT_LE(*size.find(policy)->as_double(), best) << policy;
    }
    smaller = best;
  }
  EXPECT_GT(smaller, 0.9);
  EXPECT_EQ(run("bench rows --tokens 20000000").exit_status, 2);
  EXPECT_EQ(run("bench rows --tokens 100000").exit_status, 1);
}

TEST_F(CliTest, WrongUsageIsExitStatusTwoAndOneLine) {
  for (const char* arguments :
       {"", "fly", "run", "run --prompt a --prompt-file b", "run --prompt a --kv int8",
        "run --prompt a --threads -1", "run --prompt a --no-such-option", "logits --tokens x",
        "run --prompt a --max-tokens many", "bench", "run --prompt a --temperature -1",
        "run --prompt a --seed -1", "run --prompt-file ''", "run --prompt a --model ''"}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_status, 2) << arguments;
    EXPECT_TRUE(outcome.err.starts_with("kvasir: ")) << arguments << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_TRUE(outcome.out.empty()) << arguments;
  }
}

TEST_F(CliTest, WhatFailsIsExitStatusOneAndOneLineThatNamesIt) {
  testing::write_file(directory_.file("tokens"), "1 2 three 4");
  testing::write_file(directory_.file("far"), "1 2 320");
  const std::string out = " --out " + directory_.file("x.npy");
  const std::pair<std::string, std::string> cases[] = {
      {"run --prompt a --model " + directory_.file("nowhere"), "nowhere"},
      {"logits --model " + golden_ + " --tokens " + directory_.file("tokens") + out, "offset 4"},
      {"logits --model " + golden_ + " --tokens " + directory_.file("far") + out, "token 2"},
      {"logits --model " + golden_ + " --tokens " + golden_ + "/tokens.txt --out /nowhere/x.npy",
       "/nowhere/x.npy"},
      {"run --prompt a --model " + golden_, "tokenizer.json"},
  };
  for (const auto& [arguments, named] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_status, 1) << arguments;
    EXPECT_NE(outcome.err.find(named), std::string::npos) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("kvasir: ")) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  EXPECT_FALSE(std::ifstream(directory_.file("x.npy")).good()) << "a failed run leaves no file";
}

TEST_F(CliTest, OutputThatIsNotTakenIsAFailure) {
  const std::string command = std::string(KVASIR_BINARY) +
                              " run --no-store --prompt a --max-tokens 1 --json > /dev/full 2> " +
                              directory_.file("err");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_NE(read_file(directory_.file("err")).find("standard output"), std::string::npos);
}

// A device is written to, never replaced by a file.
TEST_F(CliTest, LogitsGoIntoADevice) {
  const std::string link = directory_.file("null");
  ASSERT_EQ(std::system(("ln -s /dev/null " + link).c_str()), 0);
  EXPECT_EQ(run("logits --model " + golden_ + " --tokens " + golden_ + "/tokens.txt --out " + link)
                .exit_status,
            0);
  EXPECT_EQ(std::system(("test -L " + link + " -a -c /dev/null").c_str()), 0);
}

// The cache that is reported is the cache the layout says, for any length.
TEST_F(CliTest, CacheBytesGrowByWholeBlocksOf128Tokens) {
  const auto kv_bytes = [&](int tokens) {
    const std::string prompt(static_cast<size_t>(tokens), '0');
    const Outcome outcome = run("run --no-store --max-tokens 0 --json --prompt-file -", prompt);
    const auto json = Json::parse(outcome.out, "run --json");
    EXPECT_TRUE(json.ok()) << outcome.out << outcome.err;
    return std::pair{integer(*json, "prompt_tokens"), integer(*json, "kv_bytes")};
  };
  const auto [short_tokens, short_bytes] = kv_bytes(30);
  const auto [long_tokens, long_bytes] = kv_bytes(3000);
  const int64_t short_blocks = (short_tokens + 127) / 128;
  const int64_t long_blocks = (long_tokens + 127) / 128;
  ASSERT_GT(long_blocks, short_blocks + 2);
  EXPECT_EQ((long_bytes - short_bytes) % (long_blocks - short_blocks), 0);
  const auto [other_tokens, other_bytes] = kv_bytes(1500);
  const int64_t other_blocks = (other_tokens + 127) / 128;
  EXPECT_EQ(
      (long_bytes - short_bytes) / (long_blocks - short_blocks) * (other_blocks - short_blocks),
      other_bytes - short_bytes);
}

}  // namespace
}  // namespace kvasir
