// A real model, SmolLM2-135M-Instruct as a Q4_1 GGUF file, against a forward pass in float64 and
// against the tokens of other tokenizers. Skipped where the model was not fetched.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/text_file.h"
#include "cli_driver.h"
#include "engine_driver.h"
#include "kvasir/chat.h"
#include "kvasir/engine.h"
#include "kvasir/generate.h"
#include "kvasir/generation.h"
#include "kvasir/grammar.h"
#include "npy.h"

namespace kvasir {
namespace {

using testing::new_session;
using testing::open_engine;

constexpr size_t kStepTokens = 16;  // between the positions that are compared
constexpr size_t kSignCount = 64;
constexpr double kRelMax = 5e-5;
// Activations of 16 bits; the middle token's is 2e-4.
constexpr double kIntegerRelMax = 2e-3;
// Of 8 bits; the middle token's is 4e-2.
constexpr double kByteRelMax = 0.3;

std::string golden_file(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/smollm2/" + name;
}

// Where ./kvasir.sh fetch smollm2 puts the model.
std::string model_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/kvasir-models/smollm2";
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.cache/kvasir-models/smollm2";
}

bool has_model() {
  std::error_code ignored;
  return std::filesystem::exists(model_folder() + "/SmolLM2-135M-Instruct.Q4_1.gguf", ignored);
}

std::string how_to_fetch() {
  return "the model is not in " + model_folder() + "; to fetch it: ./kvasir.sh fetch smollm2";
}

class SmolLm2Test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_model()) GTEST_SKIP() << how_to_fetch();
  }

  static EngineOptions options(const std::string& instruction_set,
                               const std::string& compute = "int") {
    return {.model_path = model_folder(),
            .kv = "f32",
            .thread_count = 2,
            .instruction_set = instruction_set,
            .compute = compute};
  }
};

// Sums over all logits, each with its own signs: the mean of the squared differences of two such
// rows is about the squared length of the logits' difference.
std::array<double, kSignCount> fingerprint(std::span<const float> logits) {
  std::array<double, kSignCount> sums{};
  for (size_t token = 0; token < logits.size(); ++token) {
    const uint64_t bits = mix_bits(token);
    for (size_t i = 0; i < kSignCount; ++i) {
      sums[i] += (bits >> i & 1) != 0 ? -logits[token] : logits[token];
    }
  }
  return sums;
}

double standard_deviation(std::span<const float> values) {
  double sum = 0;
  double squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(values.size());
  return std::sqrt(squares / count - sum / count * (sum / count));
}

// Root of the mean squared difference, by the standard deviation of the logits.
double rel(std::span<const float> logits, std::span<const float> golden) {
  const auto sums = fingerprint(logits);
  double squares = 0;
  for (size_t i = 0; i < kSignCount; ++i) squares += std::pow(sums[i] - golden[i], 2);
  const double squared_length = squares / kSignCount;
  return std::sqrt(squared_length / static_cast<double>(logits.size())) /
         standard_deviation(logits);
}

TEST_F(SmolLm2Test, LogitsAreThoseOfFloat64InEveryInstructionSetAndArithmetic) {
  const std::vector<int32_t> tokens = testing::read_tokens(golden_file("tokens.txt"));
  const auto golden = testing::read_float_npy(golden_file("fingerprints.npy"));
  ASSERT_EQ(golden.shape, (std::vector<int64_t>{25, kSignCount}));
  ASSERT_EQ(tokens.size(), 25 * kStepTokens);
  for (const auto& [compute, bar] :
       {std::pair{"f32", kRelMax}, {"int", kIntegerRelMax}, {"int8", kByteRelMax}}) {
    for (const std::string& isa : testing::supported_instruction_sets()) {
      Engine engine = open_engine(options(isa, compute));
      EXPECT_STREQ(engine.info().compute, compute);
      Session session = new_session(engine);
      // Plain loops take their time.
      const size_t count = isa == "ref" || isa == "portable" ? 1 : 25;
      for (size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(session.append(std::span(tokens).subspan(i * kStepTokens, kStepTokens)).ok());
        const auto row = std::span(golden.values).subspan(i * kSignCount, kSignCount);
        EXPECT_LE(rel(session.logits(), row), bar) << isa << ", position " << session.length();
      }
    }
  }
}

std::vector<int32_t> ids_of(const Json* json) {
  std::vector<int32_t> ids;
  for (const Json& id : *json->as_array()) ids.push_back(static_cast<int32_t>(*id.as_integer()));
  return ids;
}

TEST_F(SmolLm2Test, GreedyAnswersAreThoseOfFloat64TokenForToken) {
  const auto text = read_text_file(golden_file("chats.json"));
  ASSERT_TRUE(text.ok()) << text.error().message();
  const auto chats = Json::parse(*text, "chats.json");
  ASSERT_TRUE(chats.ok()) << chats.error().message();
  ASSERT_EQ(chats->as_array()->size(), 5u);
  Engine engine = open_engine(options("auto"));
  for (const Json& chat : *chats->as_array()) {
    const std::string& prompt = *chat.find("prompt")->as_string();
    const std::vector<int32_t> prompt_ids = ids_of(chat.find("prompt_ids"));
    EXPECT_EQ(engine.encode_with_markers(prompt).value(), prompt_ids);
    Session session = new_session(engine);
    ASSERT_TRUE(session.append(prompt_ids).ok());
    const auto answer = generate(engine, session, {.tokens_max = 64});
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    EXPECT_EQ(answer->tokens, ids_of(chat.find("greedy_ids"))) << prompt << answer->text;
  }
  EXPECT_EQ(encode_chat_prompt(engine, {}, "What is the capital of France?").value(),
            ids_of((*chats->as_array())[0].find("prompt_ids")));
}

// What `gzip -dc` makes of a file, line by line.
std::vector<std::string> lines_of_gzip(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("gzip -dc " + path).c_str(), "r"),
                                                   pclose);
  std::vector<std::string> lines(1);
  for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(c);
    }
  }
  lines.pop_back();
  return lines;
}

TEST_F(SmolLm2Test, TextsHaveTheTokensThatOtherTokenizersGiveThem) {
  const std::vector<std::string> lines = lines_of_gzip(golden_file("texts.jsonl.gz"));
  ASSERT_EQ(lines.size(), 3000u);
  const Engine engine = open_engine(options("auto"));
  for (const std::string& line : lines) {
    const auto json = Json::parse(line, "texts.jsonl.gz");
    ASSERT_TRUE(json.ok()) << json.error().message();
    const std::string& text = *json->find("t")->as_string();
    const Json* plain = json->find("i");
    const Json* marked = json->find("s");
    EXPECT_EQ(engine.encode(text).value(), ids_of(plain)) << line;
    EXPECT_EQ(engine.encode_with_markers(text).value(), ids_of(marked == nullptr ? plain : marked))
        << line;
    EXPECT_EQ(engine.decode(ids_of(plain)).value(), text) << line;
  }
}

class SmolLm2CommandTest : public testing::CliTest {
 protected:
  void SetUp() override {
    if (!has_model()) GTEST_SKIP() << how_to_fetch();
  }
};

// Begun answers need no obedience, so that even a small model shows what it remembers.
TEST_F(SmolLm2CommandTest, RecallIsAskedForInPlainWords) {
  const std::string log = directory_.file("log");
  const Json report = run_json("eval recall --model " + model_folder() +
                               " --lengths 512 --documents 1 --facts 4 --tail 64 --seed 2"
                               " --answer-tokens 8 --runs f32 --json --resume " +
                               log);
  const Json& run = (*report.find("runs")->as_array())[0];
  const Json& exact = *(*run.find("lengths")->as_array())[0].find("exact");
  EXPECT_EQ(integer(exact, "count"), 4);
  EXPECT_GE(number(exact, "value"), 0.5);
  EXPECT_NE(testing::read_file(log).find("\"opening\""), std::string::npos);
}

// Its rows cannot be hidden.
TEST_F(SmolLm2CommandTest, IsEvaluatedInAllItsPrecisionsWhereNothingElseIsAskedFor) {
  const Json report =
      run_json("eval perplexity --model " + model_folder() + " --lengths 32 --tokens 32 --json");
  std::vector<std::string> names;
  for (const Json& run : *report.find("runs")->as_array()) {
    names.push_back(*run.find("run")->as_string());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"native", "f16", "f32"}));
}

// Time of this thread, so that what else the machine does is not counted.
double thread_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

// What steps cost beside the model. us
struct StepCosts {
  double mean = 0;
  double worst = 0;
  std::string text;
};

StepCosts step_costs(Engine& engine, const GenerateOptions& options) {
  auto generation = Generation::create(engine, options, ReplyKind::kText).value();
  Session session = new_session(engine);
  EXPECT_TRUE(session.append(engine.encode("Describe a person as JSON: ").value()).ok());
  StepCosts costs;
  while (!generation.is_done()) {
    if (const auto id = generation.wanted()) {
      EXPECT_TRUE(session.append({&*id, 1}).ok());
    }
    const double begin = thread_us();
    costs.text += generation.step(session.logits(), session.length()).value().answer;
    const double spent = thread_us() - begin;
    costs.mean += spent;
    costs.worst = std::max(costs.worst, spent);
  }
  costs.mean /= static_cast<double>(generation.tokens().size());
  return costs;
}

// A token takes this model some ten milliseconds. The bound is far above what is measured, so that
// only a mask that walks the vocabulary anew each time passes it.
TEST_F(SmolLm2Test, MasksCostLittleOfAToken) {
  Engine engine = open_engine({.model_path = model_folder()});
  const auto grammar = json_schema_grammar(engine, R"({"type": "object", "properties": {
      "name": {"type": "string"}, "age": {"type": "integer"}, "about": {"type": "string",
      "maxLength": 200}}, "required": ["name", "age", "about"]})")
                           .value();
  GenerateOptions options{.tokens_max = 80};
  const StepCosts without = step_costs(engine, options);
  options.grammar = grammar;
  const StepCosts first = step_costs(engine, options);
  const StepCosts again = step_costs(engine, options);
  std::printf(
      "step of a token: without a grammar %.0f us; with one, first %.0f (worst %.0f), "
      "again %.0f (worst %.0f)\n",
      without.mean, first.mean, first.worst, again.mean, again.worst);
  EXPECT_EQ(first.text, again.text);
  EXPECT_LT(again.mean, without.mean + 1000);
}

}  // namespace
}  // namespace kvasir
