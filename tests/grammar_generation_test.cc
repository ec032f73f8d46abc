// Answers that a grammar constrains, through the public interface, on the bundled model: by itself
// it says nothing like JSON.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text_file.h"
#include "engine_driver.h"
#include "kvasir/generation.h"
#include "kvasir/grammar.h"
#include "scheduler_driver.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::Heard;
using testing::into;
using GrammarPointer = std::shared_ptr<const Grammar>;

constexpr const char* kPersonSchema = R"({"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0,
    "maximum": 150}, "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]},
    "maxItems": 3}, "born": {"type": "string", "format": "date"},
    "boss": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"id":
    {"type": "number", "minimum": 0}}, "required": ["id"], "additionalProperties": false}]}},
    "required": ["name", "age", "boss"], "additionalProperties": false})";

class GrammarGenerationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = new Engine(testing::open_engine(testing::bundled())); }
  static void TearDownTestSuite() {
    delete engine_;
    engine_ = nullptr;
  }

  static GrammarPointer schema(std::string_view text) {
    return json_schema_grammar(*engine_, text).value();
  }
  static Generated answer(const GenerateOptions& options, std::string_view prompt = "Answer:") {
    Session session = testing::new_session(*engine_);
    EXPECT_TRUE(session.append(engine_->encode(prompt).value()).ok());
    return generate(*engine_, session, options).value();
  }
  static GenerateOptions options_of(GrammarPointer grammar, uint64_t seed, double temperature = 1) {
    GenerateOptions options{.tokens_max = 300};
    options.sampling = {.temperature = temperature, .seed = seed};
    options.grammar = std::move(grammar);
    return options;
  }

  static int32_t id_of(std::string_view text) {
    return engine_->encode_with_markers(text)->front();
  }

  static Engine* engine_;
};

Engine* GrammarGenerationTest::engine_ = nullptr;

TEST_F(GrammarGenerationTest, EveryAnswerFitsItsSchema) {
  const GrammarPointer grammar = schema(kPersonSchema);
  int ended = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Generated got = answer(options_of(grammar, seed, seed % 3 == 0 ? 0 : 1.5));
    if (got.stop_reason != StopReason::kEndOfText) continue;
    ++ended;
    EXPECT_TRUE(grammar->matches(got.text)) << got.text;
    const Result<Json> json = Json::parse(got.text, "answer");
    ASSERT_TRUE(json.ok()) << got.text;
    ASSERT_NE(json->find("age"), nullptr) << got.text;
    EXPECT_GE(*json->find("age")->as_integer(), 0);
    EXPECT_LE(*json->find("age")->as_integer(), 150);
  }
  EXPECT_GT(ended, 25);
}

TEST_F(GrammarGenerationTest, PenaltiesAndBiasesDoNotReachWhatIsForbidden) {
  const GrammarPointer grammar = schema(kPersonSchema);
  GenerateOptions options = options_of(grammar, 3);
  options.sampling.repetition_penalty = 3;
  options.sampling.frequency_penalty = 2;
  options.sampling.logit_bias = {
      {.id = engine_->encode_with_markers("hello")->front(), .bias = 100}};
  options.sampling.top_k = 3;
  const Generated got = answer(options);
  ASSERT_EQ(got.stop_reason, StopReason::kEndOfText);
  EXPECT_TRUE(grammar->matches(got.text)) << got.text;
}

TEST_F(GrammarGenerationTest, AChoiceIsOneOfItsTextsAndEndsAtOnce) {
  const GrammarPointer grammar = choice_grammar(*engine_, {"yes", "yes, indeed", "no"}).value();
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Generated got = answer(options_of(grammar, seed, 2));
    EXPECT_EQ(got.stop_reason, StopReason::kEndOfText);
    EXPECT_TRUE(got.text == "yes" || got.text == "yes, indeed" || got.text == "no") << got.text;
  }
}

TEST_F(GrammarGenerationTest, ARegexIsMatchedAsAWhole) {
  const GrammarPointer grammar = regex_grammar(*engine_, "[A-Z]{2}-\\d{3}é?").value();
  const Generated got = answer(options_of(grammar, 5, 2));
  ASSERT_EQ(got.stop_reason, StopReason::kEndOfText);
  EXPECT_TRUE(grammar->matches(got.text)) << got.text;
}

TEST_F(GrammarGenerationTest, WithoutAnEndOfTextItEndsByItself) {
  GenerateOptions options = options_of(choice_grammar(*engine_, {"yes", "no"}).value(), 1);
  options.stops_at_end_of_text = false;
  const Generated got = answer(options);
  EXPECT_EQ(got.stop_reason, StopReason::kEndOfText);
  EXPECT_TRUE(got.text == "yes" || got.text == "no") << got.text;
}

TEST_F(GrammarGenerationTest, ForbiddingWhatHasToComeIsAnError) {
  GenerateOptions options = options_of(choice_grammar(*engine_, {"x"}).value(), 1);
  options.sampling.logit_bias = {{.id = engine_->encode_with_markers("x")->front(), .bias = -100}};
  Session session = testing::new_session(*engine_);
  ASSERT_TRUE(session.append(engine_->encode("Answer:").value()).ok());
  const auto got = generate(*engine_, session, options);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().field, "logit_bias");
}

TEST_F(GrammarGenerationTest, InABatchTheTokensAreTheSame) {
  const GrammarPointer grammars[] = {schema(kPersonSchema), json_grammar(*engine_).value(),
                                     choice_grammar(*engine_, {"left", "right"}).value(), nullptr};
  std::vector<ServiceRequest> requests;
  for (size_t i = 0; i < 8; ++i) {
    ServiceRequest request =
        testing::request(engine_->encode("Number " + std::to_string(i)).value(), 60, 1);
    request.options.grammar = grammars[i % 4];
    request.options.sampling.seed = i;
    requests.push_back(std::move(request));
  }
  Scheduler scheduler(*engine_, {});
  std::vector<Heard> together(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    ASSERT_TRUE(scheduler.submit(requests[i], into(together[i])).ok());
  }
  testing::run(scheduler);
  for (size_t i = 0; i < requests.size(); ++i) {
    Heard alone;
    Scheduler other(*engine_, {});
    ASSERT_TRUE(other.submit(requests[i], into(alone)).ok());
    testing::run(other);
    testing::expect_same_bits(together[i].tokens.at(0), alone.tokens.at(0));
    EXPECT_EQ(together[i].texts, alone.texts);
  }
}

// Steps a generation on logits that want `wanted` above all others.
int32_t sampled(Generation& generation, int32_t wanted, int64_t vocab) {
  std::vector<float> logits(static_cast<size_t>(vocab));
  logits[static_cast<size_t>(wanted)] = 1;
  EXPECT_TRUE(generation.step(logits, std::ssize(generation.tokens())).ok());
  return generation.tokens().back();
}

TEST_F(GrammarGenerationTest, ReasoningIsFreeAndAnAnswerHasToFollow) {
  const int64_t vocab = engine_->info().vocab_size;
  const int32_t end = id_of("<｜end▁of▁sentence｜>");
  const int32_t think_end = id_of("</think>");
  GenerateOptions options;
  options.grammar = choice_grammar(*engine_, {"x"}).value();
  auto generation = Generation::create(*engine_, options, ReplyKind::kReasoning).value();
  EXPECT_EQ(sampled(generation, id_of("A"), vocab), id_of("A"));
  EXPECT_NE(sampled(generation, end, vocab), end);
  EXPECT_EQ(sampled(generation, think_end, vocab), think_end);
  EXPECT_EQ(sampled(generation, id_of("A"), vocab), id_of("x"));
  EXPECT_EQ(sampled(generation, id_of("A"), vocab), end);
  EXPECT_EQ(generation.stop_reason(), StopReason::kEndOfText);
}

// This model's prompts alone say whether it reasons.
TEST_F(GrammarGenerationTest, AnAnswerWithoutReasoningIsConstrainedFromItsFirstToken) {
  const int64_t vocab = engine_->info().vocab_size;
  GenerateOptions options;
  options.grammar = choice_grammar(*engine_, {"x"}).value();
  auto generation = Generation::create(*engine_, options, ReplyKind::kAnswer).value();
  EXPECT_EQ(sampled(generation, id_of("<think>"), vocab), id_of("x"));
}

CallRules rules_of(std::vector<Tool> tools) { return {.tools = std::move(tools)}; }

// Nothing but what it has to say comes between reasoning and the block, and the marker is the
// token.
TEST_F(GrammarGenerationTest, ADemandedCallFollowsReasoning) {
  const int64_t vocab = engine_->info().vocab_size;
  const int32_t marker = id_of("｜DSML｜");
  const int32_t think_end = id_of("</think>");
  GenerateOptions options{.tokens_max = 200, .reads_calls = true};
  options.grammar = call_grammar(*engine_, rules_of({{.name = "stop"}})).value();
  auto generation = Generation::create(*engine_, options, ReplyKind::kReasoning).value();
  EXPECT_NE(sampled(generation, marker, vocab), marker);
  EXPECT_EQ(sampled(generation, think_end, vocab), think_end);
  std::vector<int32_t> said;
  while (!generation.is_done()) {
    said.push_back(sampled(generation, said.size() == 1 ? marker : id_of("A"), vocab));
  }
  EXPECT_EQ(engine_->decode(said).value(),
            "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"stop\">\n</｜DSML｜invoke>\n"
            "</｜DSML｜tool_calls>");
  EXPECT_EQ(generation.stop_reason(), StopReason::kToolCalls);
  EXPECT_EQ(std::count(said.begin(), said.end(), marker), 4);
}

// The bundled model with the marker that DeepSeek-V4.1's tokenizer has, in the place of one without
// use.
EngineOptions v41_model(const testing::TempDirectory& folder) {
  EngineOptions options = testing::bundled();
  for (const auto& entry : std::filesystem::directory_iterator(options.model_path)) {
    if (entry.path().filename() == "tokenizer.json") continue;
    std::filesystem::create_symlink(entry.path(), folder.file(entry.path().filename().string()));
  }
  std::string json = read_text_file(options.model_path + "/tokenizer.json").value();
  const std::string spare = "<｜title｜>";
  json.replace(json.find(spare), spare.size(), "<｜System｜>");
  testing::write_file(folder.file("tokenizer.json"), json);
  options.model_path = folder.path();
  return options;
}

TEST_F(GrammarGenerationTest, ADemandedCallOfV41HasItsTags) {
  const testing::TempDirectory folder;
  Engine engine = testing::open_engine(v41_model(folder));
  GenerateOptions options{.tokens_max = 200, .reads_calls = true};
  options.grammar = call_grammar(engine, rules_of({{.name = "stop"}})).value();
  auto generation = Generation::create(engine, options, ReplyKind::kAnswer).value();
  std::vector<int32_t> said;
  while (!generation.is_done()) {
    const int32_t wanted = said.size() == 1 ? id_of("｜DSML｜") : id_of("A");
    said.push_back(sampled(generation, wanted, engine.info().vocab_size));
  }
  EXPECT_EQ(engine.decode(said).value(),
            "\n\n<｜DSML｜ calls>\n<｜DSML｜ invoke name=\"stop\">\n\n</｜DSML｜ invoke>\n"
            "</｜DSML｜ calls>");
  EXPECT_EQ(generation.stop_reason(), StopReason::kToolCalls);
}

TEST_F(GrammarGenerationTest, SchemasOfStrictToolsHaveToBeFollowed) {
  const Tool wrong{.name = "f", .parameters = R"({"not": {}})", .field = "tools[3].parameters"};
  const auto free = call_grammar(*engine_, rules_of({{.name = "g"}, wrong}));
  EXPECT_EQ(free.value()->unfollowed(), std::vector<std::string>{"f"});
  Tool strict = wrong;
  strict.is_strict = true;
  const auto refused = call_grammar(*engine_, rules_of({{.name = "g"}, strict}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "tools[3].parameters");
  EXPECT_EQ(refused.error().where, "#/not");
  EXPECT_FALSE(call_grammar(*engine_, {}).ok());
}

std::string large_schema() {
  return R"({"properties": {"a": {"type": "array", "items": {"type": "string", "maxLength": 50},)"
         R"("minItems": 15000}}, "required": ["a"]})";
}

// What one tool takes of the room does not make the others free; strict ones come first.
TEST_F(GrammarGenerationTest, SchemasThatAreTooLargeTogetherAreLeftFree) {
  std::vector<Tool> tools;
  for (int i = 0; i < 4; ++i) {
    tools.push_back({.name = "f" + std::to_string(i), .parameters = large_schema()});
  }
  tools.push_back({.name = "small", .parameters = R"({"properties": {"a": {}}})"});
  tools[3].is_strict = true;
  EXPECT_EQ(call_grammar(*engine_, rules_of(tools)).value()->unfollowed(),
            (std::vector<std::string>{"f0", "f1", "f2"}));
  for (Tool& tool : tools) tool.is_strict = true;
  EXPECT_FALSE(call_grammar(*engine_, rules_of(tools)).ok());
}

TEST_F(GrammarGenerationTest, AThousandToolsAreFollowed) {
  std::vector<Tool> tools;
  for (int i = 0; i < 1000; ++i) {
    tools.push_back({.name = "tool_" + std::to_string(i), .is_strict = true});
    tools.back().parameters = R"({"type": "object", "properties": {"p)" + std::to_string(i) +
                              R"(": {"type": "string"}}, "required": ["p)" + std::to_string(i) +
                              R"("], "additionalProperties": false})";
  }
  const auto grammar = call_grammar(*engine_, rules_of(std::move(tools)));
  ASSERT_TRUE(grammar.ok()) << grammar.error().message();
  EXPECT_TRUE(grammar.value()->unfollowed().empty());
}

// More ways than are followed at once: known beforehand, or when the text has come there.
TEST_F(GrammarGenerationTest, TooManyWaysAtOnceAreSaid) {
  std::string members;
  for (int i = 0; i < 401; ++i) {
    members += (i > 0 ? ",\"p" : "\"p") + std::to_string(i) + R"(":{})";
  }
  const auto many =
      json_schema_grammar(*engine_, R"({"properties":{"in":{"properties":{)" + members + "}}}}");
  ASSERT_FALSE(many.ok());
  EXPECT_EQ(many.error().where, "#/properties/in/properties");
  std::string branches;
  for (int i = 0; i < 600; ++i) branches += (i > 0 ? "|a" : "a") + std::to_string(i);
  const auto wide = regex_grammar(*engine_, branches);
  ASSERT_FALSE(wide.ok());
  EXPECT_NE(wide.error().message().find("too many ways"), std::string::npos);
  GenerateOptions options = options_of(regex_grammar(*engine_, "x(" + branches + ")").value(), 1);
  Session session = testing::new_session(*engine_);
  ASSERT_TRUE(session.append(engine_->encode("Answer:").value()).ok());
  const auto late = generate(*engine_, session, options);
  ASSERT_FALSE(late.ok());
  EXPECT_NE(late.error().message().find("too many ways"), std::string::npos);
}

TEST_F(GrammarGenerationTest, OneOfTheSameTextIsTheSame) {
  EXPECT_EQ(schema(kPersonSchema), schema(kPersonSchema));
  EXPECT_NE(schema(R"({"type": "null"})"), schema(R"({"type": "boolean"})"));
}

TEST_F(GrammarGenerationTest, WhatCannotBeFollowedIsSaid) {
  EXPECT_EQ(json_schema_grammar(*engine_, "{").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(json_schema_grammar(*engine_, R"({"not": {}})").error().where, "#/not");
  EXPECT_EQ(regex_grammar(*engine_, "a(").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(choice_grammar(*engine_, {}).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(choice_grammar(*engine_, {"\xff"}).error().kind, ErrorKind::kUsage);
  Engine without_text = testing::open_engine(testing::golden_decoder("qwen3"));
  EXPECT_FALSE(json_grammar(without_text).ok());
}

}  // namespace
}  // namespace kvasir
