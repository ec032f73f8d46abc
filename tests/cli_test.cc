// The program as a user runs it: the command-line contract.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "checkpoint_maker.h"
#include "cli_driver.h"
#include "npy.h"

namespace kvasir {
namespace {

using testing::Outcome;
using testing::read_file;

class CliTest : public testing::CliTest {
 protected:
  // The bundled model again, its texts after `mark`, made for `context_tokens` if that is not 0.
  static void copy_model(const std::string& folder, const std::string& mark,
                         int64_t context_tokens = 0) {
    const std::filesystem::path source = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny";
    std::filesystem::create_directory(folder);
    for (const auto& entry : std::filesystem::directory_iterator(source)) {
      const auto copy = std::filesystem::path(folder) / entry.path().filename();
      if (entry.path().extension() != ".json") {
        std::filesystem::create_symlink(entry.path(), copy);
        continue;
      }
      std::string text = read_file(entry.path().string());
      const std::string limit = "\"max_position_embeddings\": 1048576";
      if (const size_t at = text.find(limit); at != std::string::npos && context_tokens != 0) {
        text.replace(at, limit.size(),
                     "\"max_position_embeddings\": " + std::to_string(context_tokens));
      }
      testing::write_file(copy.string(), mark + text);
    }
  }
};

TEST_F(CliTest, AFolderForFilesThatIsNotThereStopsNoOtherCommand) {
  const Outcome outcome = run("--version", "", "env TMPDIR=/nowhere");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
}

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

// The tokens that go in and the answer that comes out, for comparing.
std::string read_as(const Json& report) {
  return std::to_string(*report.find("prompt_tokens")->as_integer()) + " " +
         *report.find("text")->as_string();
}

TEST_F(CliTest, AQuestionIsTheSameFromAnySystemsFile) {
  const std::string base = "run --chat --no-store --json --max-tokens 6";
  const std::string asked = read_as(run_json(base + " --prompt 'Who is Anne?'"));
  const std::string two_lines = read_as(run_json(base + " --prompt 'Who is Anne?\n \tTell me.'"));
  ASSERT_NE(asked, two_lines);
  const std::string mark = "\xEF\xBB\xBF";
  for (const std::string end : {"", "\n", "\r\n", "\r", "\n\n\n", "\r\n \t\r\n", "\r\r"}) {
    for (const std::string& text : {"Who is Anne?" + end, mark + "Who is Anne?" + end}) {
      EXPECT_EQ(read_as(run_json(base + " --prompt-file -", text)), asked) << Json(text).dump();
    }
    EXPECT_EQ(read_as(run_json(base + " --prompt 'Who is Anne?" + end + "'")), asked);
  }
  for (const char* line_end : {"\n", "\r\n", "\r"}) {
    testing::write_file(directory_.file("question"),
                        "Who is Anne?" + std::string(line_end) + " \tTell me." + line_end);
    EXPECT_EQ(read_as(run_json(base + " --prompt-file " + directory_.file("question"))), two_lines);
  }
  const std::string brief = read_as(run_json(base + " --prompt a --system 'Be brief.'"));
  EXPECT_EQ(read_as(run_json(base + " --prompt a --system '" + mark + "Be brief.\r\n'")), brief);
}

TEST_F(CliTest, AChatIsTheSameWithAnyLineEnds) {
  const auto chat = [&](const std::string& lines, const std::string& options = "") {
    const Outcome outcome = run("chat --no-store --json --max-tokens 4 " + options, lines);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    std::string turns;
    std::istringstream out(outcome.out);
    for (std::string line; std::getline(out, line);) turns += read_as(*Json::parse(line, "")) + "|";
    return turns;
  };
  const std::string expected = chat("Hello!\nWho is Anne?\n", "--system 'Be brief.'");
  EXPECT_EQ(std::count(expected.begin(), expected.end(), '|'), 2);
  for (const char* lines :
       {"Hello!\r\nWho is Anne?\r\n", "Hello!\rWho is Anne?", "\xEF\xBB\xBFHello!\nWho is Anne?",
        "Hello!\r\n\r\n \t\r\nWho is Anne?\r\n\r\n"}) {
    EXPECT_EQ(chat(lines, "--system 'Be brief.\r\n'"), expected) << Json(lines).dump();
  }
}

TEST_F(CliTest, AByteOrderMarkIsNoTextAnywhere) {
  const std::string mark = "\xEF\xBB\xBF";
  const std::string plain = "run --no-store --json --max-tokens 6 --prompt-file -";
  EXPECT_EQ(read_as(run_json(plain, mark + "It is a")), read_as(run_json(plain, "It is a")));
  testing::write_file(directory_.file("ids"), mark + "1 2 3");
  EXPECT_EQ(run("logits --no-store --tokens " + directory_.file("ids") + " --out " +
                directory_.file("a.npy"))
                .exit_status,
            0);
  const std::string model = directory_.file("model");
  copy_model(model, mark);
  EXPECT_EQ(read_as(run_json(plain + " --model " + model, "It is a")),
            read_as(run_json(plain, "It is a")));
}

TEST_F(CliTest, AnotherEncodingIsNamed) {
  const std::string wide("\xFF\xFEW\0h\0o\0\n\0", 10);
  testing::write_file(directory_.file("wide"), wide);
  const std::string file = directory_.file("wide");
  for (const std::string& arguments :
       {"run --no-store --prompt-file " + file, std::string("chat --no-store"),
        "logits --tokens " + file + " --out " + directory_.file("a.npy"), "demo --book " + file,
        "eval perplexity --text " + file, "eval recall --task " + file}) {
    const Outcome outcome = run(arguments, wide);
    EXPECT_EQ(outcome.exit_status, 1) << arguments;
    EXPECT_NE(outcome.err.find("UTF-16"), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST_F(CliTest, MoreTokensThanTheModelWasMadeForAreNoted) {
  const std::string model = directory_.file("model");
  copy_model(model, "", 512);
  std::string text;
  std::string ids;
  for (int i = 0; i < 200; ++i) text += "the day was long ";
  for (int i = 0; i < 600; ++i) ids += "7 ";
  testing::write_file(directory_.file("ids"), ids);
  testing::write_file(directory_.file("text"), text);
  const std::string prompt = " --prompt-file " + directory_.file("text");
  for (const std::string& arguments :
       {"run --no-store --json --max-tokens 1" + prompt,
        "run --chat --no-store --json --max-tokens 1" + prompt,
        std::string("chat --no-store --json --max-tokens 1"),
        "logits --no-store --tokens " + directory_.file("ids") + " --out " +
            directory_.file("a.npy"),
        std::string("eval perplexity --lengths 1024 --tokens 1024 --runs native --json")}) {
    const Outcome outcome = run(arguments + " --model " + model, text);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("made for 512 tokens"), std::string::npos) << arguments;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    if (arguments.find("--json") == std::string::npos) continue;
    EXPECT_NE(outcome.out.find("made for 512 tokens"), std::string::npos) << outcome.out;
    EXPECT_EQ(run_json(arguments, text).find("notes")->as_array()->size(), 0u) << arguments;
  }
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

TEST_F(CliTest, BenchSaysWhatATokenReadsAtEachDepth) {
  const Json result =
      run_json("bench decode --depth 500 0 --tokens 4 --repetitions 1 --no-kernels --json");
  const Json::Array& depths = *result.find("depths")->as_array();
  ASSERT_EQ(depths.size(), 2u);
  EXPECT_EQ(*depths[0].find("depth_tokens")->as_integer(), 0);
  EXPECT_EQ(*depths[1].find("depth_tokens")->as_integer(), 500);
  const auto part = [&](size_t depth, const char* name, const char* value) {
    return *depths[depth].find("parts")->find(name)->find(value)->as_double();
  };
  // The same weights at any depth, more rows at the greater one.
  EXPECT_EQ(part(0, "logits", "bytes_per_token"), part(1, "logits", "bytes_per_token"));
  EXPECT_GT(part(0, "products", "multiply_adds_per_token"), 0);
  EXPECT_LT(part(0, "attention", "bytes_per_token"), part(1, "attention", "bytes_per_token"));
  for (const Json& depth : depths) {
    double shares = 0;
    for (const auto& [name, costs] : *depth.find("parts")->as_object()) {
      shares += *costs.find("share")->as_double();
    }
    EXPECT_NEAR(shares, 1, 1e-9);
    EXPECT_GT(*depth.find("tokens_per_second")->as_double(), 0);
  }
}

TEST_F(CliTest, BenchSaysWhatAStepCostsBesideItsPass) {
  const Json result = run_json("bench around --tokens 4 --repetitions 1 --json");
  const Json::Array& steps = *result.find("steps")->as_array();
  EXPECT_GT(steps.size(), 5u);
  for (const Json& step : steps) {
    EXPECT_GT(*step.find("pass_ms")->as_double(), 0) << *step.find("name")->as_string();
    EXPECT_GT(*step.find("around_ms")->as_double(), 0) << *step.find("name")->as_string();
    EXPECT_LT(*step.find("share")->as_double(), 1) << *step.find("name")->as_string();
  }
}

TEST_F(CliTest, WrongUsageIsExitStatusTwoAndOneLine) {
  for (const char* arguments :
       {"", "fly", "run", "run --prompt a --prompt-file b", "run --prompt a --kv int9",
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

// The model repeats itself for ever after this.
std::string endless_prompt() {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "and her own, ";
  return text;
}

// "" where it is not the object that a run prints.
std::string text_of(const std::string& run_output) {
  const auto json = Json::parse(run_output, "run");
  const Json* text = json.ok() ? json->find("text") : nullptr;
  return text == nullptr ? "" : *text->as_string();
}

TEST_F(CliTest, AnInterruptedAnswerIsPrintedAndASignalEndsTheProgram) {
  for (const auto& [signal, exit_status] : {std::pair{"INT", 130}, std::pair{"TERM", 143}}) {
    const Outcome outcome = run_until_signal(
        signal, "run --no-store --json --max-tokens 10000000 --prompt-file -", endless_prompt(),
        [](const Outcome& so_far) { return text_of(so_far.out).size() > 10; });
    EXPECT_EQ(outcome.exit_status, exit_status) << outcome.err;
    EXPECT_EQ(outcome.err, "kvasir: interrupted\n");
    const auto json = Json::parse(outcome.out, "run");
    ASSERT_TRUE(json.ok()) << outcome.out;
    EXPECT_EQ(*json->find("stop_reason")->as_string(), "interrupted");
    const Outcome chat = run_until_signal(
        signal, "chat --no-store --max-tokens 10000000", endless_prompt() + "\nHi\n",
        [](const Outcome& so_far) { return so_far.out.size() > 10; });
    EXPECT_EQ(chat.exit_status, exit_status) << chat.err;
  }
}

// A shell goes on after a program that only exits with 130.
TEST_F(CliTest, AnInterruptEndsALoopOfRuns) {
  testing::write_file(directory_.file("prompt"), endless_prompt());
  const std::string loop = std::string("for i in 1 2 3; do ") + KVASIR_BINARY +
                           " run --no-store --max-tokens 10000000 --prompt-file " +
                           directory_.file("prompt") + "; echo goes on; done";
  const std::string command = "timeout --preserve-status --signal=INT 1 bash -c '" + loop + "' > " +
                              directory_.file("out") + " 2> /dev/null";
  EXPECT_EQ(testing::exit_status_of(std::system(command.c_str())), 130);
  EXPECT_EQ(read_file(directory_.file("out")).find("goes on"), std::string::npos);
}

TEST_F(CliTest, TheReasonWhyOutputIsNotTakenIsTheRightOne) {
  for (const char* arguments :
       {"chat --no-store --max-tokens 4", "run --no-store --prompt a --max-tokens 4",
        "run --no-store --prompt a --max-tokens 4 --json", "plan --list", "--help"}) {
    for (const auto& [output, reason] : {std::pair{"> /dev/full", "No space left on device"},
                                         std::pair{">&-", "Bad file descriptor"}}) {
      const std::string command = std::string("echo hi | ") + KVASIR_BINARY + " " + arguments +
                                  " " + output + " 2> " + directory_.file("err");
      EXPECT_EQ(testing::exit_status_of(std::system(command.c_str())), 1) << arguments << output;
      const std::string err = read_file(directory_.file("err"));
      EXPECT_NE(err.find("standard output, found " + std::string(reason)), std::string::npos)
          << arguments << output << err;
    }
  }
}

// A model that was fetched into the cache folder is known by its name.
TEST_F(CliTest, ModelsInTheCacheFolderHaveNames) {
  const std::string folder = directory_.file("cache") + "/kvasir-models";
  ASSERT_EQ(
      std::system(("mkdir -p " + folder + " && ln -s " + golden_ + " " + folder + "/mine").c_str()),
      0);
  const std::string rest = " --no-store --tokens " + golden_ + "/tokens.txt --out ";
  EXPECT_EQ(run("logits --model mine" + rest + directory_.file("a.npy")).exit_status, 0);
  EXPECT_EQ(run("logits --model " + golden_ + rest + directory_.file("b.npy")).exit_status, 0);
  EXPECT_EQ(read_file(directory_.file("a.npy")), read_file(directory_.file("b.npy")));
  EXPECT_EQ(run("plan mine --json").out, run("plan " + folder + "/mine --json").out);
  const Outcome unknown = run("logits --model yours" + rest + directory_.file("c.npy"));
  EXPECT_EQ(unknown.exit_status, 1);
  EXPECT_NE(unknown.err.find("yours"), std::string::npos) << unknown.err;
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
