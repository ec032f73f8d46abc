// A Generation stepped by hand, through the public interface, on the bundled model and on logits
// that make it say a given text.
#include "kvasir/generation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/utf8.h"
#include "engine_driver.h"

namespace kvasir {
namespace {

using Ids = std::vector<int32_t>;

// What came of a reply.
struct Told {
  std::string reasoning;
  std::string answer;
  std::vector<std::string> answer_pieces;  // those with a text
  std::vector<CallPiece> calls;
  std::vector<SampledToken> tokens;
  StopReason stop_reason = StopReason::kTokenLimit;
  std::string stop_string;
  int64_t token_count = 0;
  int64_t reasoning_token_count = 0;
};

void add(const GenerationPiece& piece, Told& told) {
  told.reasoning += piece.reasoning;
  told.answer += piece.answer;
  if (!piece.answer.empty()) told.answer_pieces.push_back(piece.answer);
  told.calls.insert(told.calls.end(), piece.calls.begin(), piece.calls.end());
  told.tokens.insert(told.tokens.end(), piece.tokens.begin(), piece.tokens.end());
}

class GenerationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    engine_ = new Engine(testing::open_engine(
        {.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny", .thread_count = 2}));
  }
  static void TearDownTestSuite() {
    delete engine_;
    engine_ = nullptr;
  }

  static Ids ids_of(std::string_view text) { return engine_->encode_with_markers(text).value(); }
  static size_t vocab() { return static_cast<size_t>(engine_->info().vocab_size); }

  // Says `ids` with a greedy generation, and stops it behind them.
  static Told say(const Ids& ids, ReplyKind kind, const GenerateOptions& options = {}) {
    auto generation = Generation::create(*engine_, options, kind).value();
    Told told;
    std::vector<float> logits(vocab());
    for (size_t i = 0; i < ids.size() && !generation.is_done(); ++i) {
      logits[static_cast<size_t>(ids[i])] = 1;
      add(generation.step(logits, static_cast<int64_t>(i)).value(), told);
      logits[static_cast<size_t>(ids[i])] = 0;
      EXPECT_EQ(generation.tokens().back(), ids[i]);
    }
    if (!generation.is_done()) add(generation.stop(StopReason::kInterrupted), told);
    told.stop_reason = generation.stop_reason();
    told.stop_string = generation.stop_string();
    told.token_count = std::ssize(generation.tokens());
    told.reasoning_token_count = generation.reasoning_token_count();
    return told;
  }

  static Session prompt(std::string_view text) {
    Session session = testing::new_session(*engine_);
    EXPECT_TRUE(session.append(engine_->encode(text).value()).ok());
    return session;
  }

  // The loop that the header shows.
  static Told step_by_hand(Session& session, const GenerateOptions& options, Ids& tokens) {
    auto generation = Generation::create(*engine_, options, ReplyKind::kText).value();
    generation.set_prompt(session.tokens());
    Told told;
    while (!generation.is_done()) {
      if (const auto id = generation.wanted()) {
        EXPECT_TRUE(session.append({&*id, 1}).ok());
      }
      add(generation.step(session.logits(), session.length()).value(), told);
    }
    EXPECT_FALSE(generation.wanted());
    tokens.assign(generation.tokens().begin(), generation.tokens().end());
    told.stop_reason = generation.stop_reason();
    return told;
  }

  static Engine* engine_;
};

Engine* GenerationTest::engine_ = nullptr;

const std::string kCallOfF =
    "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" "
    "string=\"false\">1"
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n";

TEST_F(GenerationTest, CallsAreToldApartAndEndTheReply) {
  const Ids ids = ids_of("Hm.\n</think>Wait.\n\n" + kCallOfF + "</｜DSML｜tool_calls>");
  const Told told = say(ids, ReplyKind::kReasoning, {.reads_calls = true, .wants_logprobs = true});
  EXPECT_EQ(told.answer, "Wait.");
  ASSERT_GE(told.calls.size(), 3u);
  EXPECT_EQ(told.calls.front().name, "f");
  std::string arguments;
  for (const CallPiece& call : told.calls) arguments += call.arguments;
  EXPECT_EQ(arguments, "{\"a\": 1}");
  EXPECT_TRUE(told.calls.back().is_over);
  EXPECT_EQ(told.stop_reason, StopReason::kToolCalls);
  EXPECT_EQ(told.tokens.size(), ids.size());
}

TEST_F(GenerationTest, AReplyEndsBehindAsManyCallsAsThereMayBe) {
  const Ids ids = ids_of(kCallOfF + kCallOfF);
  const Told told = say(ids, ReplyKind::kAnswer, {.reads_calls = true, .calls_max = 1});
  EXPECT_EQ(told.stop_reason, StopReason::kToolCalls);
  EXPECT_LT(told.token_count, std::ssize(ids));
  EXPECT_EQ(told.calls.back().index, 0);
}

TEST_F(GenerationTest, ACallThatIsLeftOpenStaysOpen) {
  const std::string begun = kCallOfF.substr(0, kCallOfF.find("</｜DSML｜parameter"));
  Ids ids = ids_of(begun);
  EXPECT_EQ(say(ids, ReplyKind::kAnswer, {.reads_calls = true}).stop_reason,
            StopReason::kInterrupted);
  ids.push_back(ids_of("<｜end▁of▁sentence｜>").front());
  const Told told = say(ids, ReplyKind::kAnswer, {.reads_calls = true});
  EXPECT_EQ(told.stop_reason, StopReason::kToolCalls);
  EXPECT_FALSE(told.calls.back().is_over);
}

TEST_F(GenerationTest, CallsAreNotReadUnasked) {
  const Told told = say(ids_of(kCallOfF), ReplyKind::kAnswer);
  EXPECT_TRUE(told.calls.empty());
  EXPECT_NE(told.stop_reason, StopReason::kToolCalls);
}

TEST_F(GenerationTest, SteppedByHandItGivesWhatGenerateGives) {
  const SamplingOptions samplings[] = {
      {},
      {.temperature = 1, .top_p = 0.95, .seed = 3},
      {.temperature = 0.8, .seed = 4, .presence_penalty = 0.5, .frequency_penalty = 0.5},
      {.logit_bias = {{300, 5}, {301, -100}}, .repetition_penalty = 1.3}};
  for (const SamplingOptions& sampling : samplings) {
    for (const bool wants_logprobs : {false, true}) {
      const GenerateOptions options{.sampling = sampling,
                                    .tokens_max = 20,
                                    .wants_logprobs = wants_logprobs,
                                    .top_logprob_count = 3};
      Session by_hand = prompt("It is a truth");
      Ids tokens;
      const Told told = step_by_hand(by_hand, options, tokens);
      Session session = prompt("It is a truth");
      const Generated generated = generate(*engine_, session, options).value();
      EXPECT_EQ(tokens, generated.tokens);
      EXPECT_EQ(told.answer, generated.text);
      EXPECT_EQ(told.stop_reason, generated.stop_reason);
      EXPECT_EQ(by_hand.length(), session.length());
      EXPECT_EQ(told.tokens.size(), wants_logprobs ? tokens.size() : 0);
    }
  }
}

TEST_F(GenerationTest, PenaltiesAndBiasesChangeWhatIsSaid) {
  const auto said = [](const SamplingOptions& sampling) {
    Session session = prompt("It is a truth");
    const GenerateOptions options{
        .sampling = sampling, .tokens_max = 60, .stops_at_end_of_text = false};
    return generate(*engine_, session, options).value().tokens;
  };
  const auto distinct = [](Ids ids) {
    std::sort(ids.begin(), ids.end());
    return std::unique(ids.begin(), ids.end()) - ids.begin();
  };
  const Ids plain = said({});
  EXPECT_GT(distinct(said({.frequency_penalty = 2})), distinct(plain));
  EXPECT_NE(said({.logit_bias = {{plain[0], -100}}})[0], plain[0]);
  const Ids forced = said({.logit_bias = {{plain[0], 100}}});
  EXPECT_EQ(distinct(forced), 1);
  EXPECT_EQ(forced[0], plain[0]);
}

TEST_F(GenerationTest, LogprobsAreOfTheModelsOwnLogits) {
  GenerateOptions options{
      .sampling = {.temperature = 0.5, .logit_bias = {{2, -100}}, .frequency_penalty = 2},
      .wants_logprobs = true,
      .top_logprob_count = 2};
  auto generation = Generation::create(*engine_, options, ReplyKind::kText).value();
  std::vector<float> logits(vocab(), -50);
  logits[2] = 2;
  logits[3] = logits[4] = 1;
  const GenerationPiece piece = generation.step(logits, 0).value();
  ASSERT_EQ(piece.tokens.size(), 1u);
  const SampledToken& token = piece.tokens[0];
  EXPECT_TRUE(token.id == 3 || token.id == 4);
  const float sum = std::exp(2.0f) + 2 * std::exp(1.0f);
  EXPECT_NEAR(token.logprob, 1 - std::log(sum), 1e-6);
  ASSERT_EQ(token.most_likely.size(), 2u);
  EXPECT_EQ(token.most_likely[0].id, 2);
  EXPECT_NEAR(token.most_likely[0].logprob, 2 - std::log(sum), 1e-6);
  EXPECT_EQ(token.most_likely[1].id, 3);
}

TEST_F(GenerationTest, ATurnIsToldApartAndEndsAtItsMarker) {
  for (const bool stops_at_end_of_text : {true, false}) {
    const Ids reply = ids_of("Well</think>Yes.<｜end▁of▁sentence｜>");
    const Told told =
        say(reply, ReplyKind::kReasoning, {.stops_at_end_of_text = stops_at_end_of_text});
    EXPECT_EQ(told.reasoning, "Well");
    EXPECT_EQ(told.answer, "Yes.");
    EXPECT_EQ(told.stop_reason, StopReason::kEndOfText);
    EXPECT_EQ(told.token_count, std::ssize(reply));
    // The marker that ends it is part of the reasoning.
    EXPECT_EQ(told.reasoning_token_count, std::ssize(ids_of("Well</think>")));
  }
  const Told answer = say(ids_of("Yes.<｜User｜>"), ReplyKind::kAnswer);
  EXPECT_EQ(answer.answer, "Yes.");
  EXPECT_EQ(answer.stop_reason, StopReason::kEndOfText);
  EXPECT_EQ(answer.reasoning_token_count, 0);
}

TEST_F(GenerationTest, AnIdThatEndsATextIsNoText) {
  const Ids ids = ids_of("Yes.<｜end▁of▁sentence｜>No");
  const Told told = say(ids, ReplyKind::kText);
  EXPECT_EQ(told.answer, "Yes.");
  EXPECT_EQ(told.stop_reason, StopReason::kEndOfText);
  EXPECT_EQ(say(ids, ReplyKind::kText, {.stops_at_end_of_text = false}).answer,
            "Yes.<｜end▁of▁sentence｜>No");
}

TEST_F(GenerationTest, TextThatWasHeldBackComesWithTheEnd) {
  const GenerateOptions waits{.stop_strings = {" two three four"}};
  EXPECT_EQ(say(ids_of("one two three"), ReplyKind::kText, waits).answer, "one two three");
  GenerateOptions limited = waits;
  const Ids ids = ids_of("one two three five");
  limited.tokens_max = std::ssize(ids) - 1;
  const Told told = say(ids, ReplyKind::kAnswer, limited);
  EXPECT_EQ(told.answer, "one two three");
  EXPECT_EQ(told.stop_reason, StopReason::kTokenLimit);
  EXPECT_EQ(told.stop_string, "");
  // So does a stop string that looked like the beginning of a marker.
  limited = {.tokens_max = std::ssize(ids_of("1 <")), .stop_strings = {"<"}};
  const Told marker = say(ids_of("1 <"), ReplyKind::kAnswer, limited);
  EXPECT_EQ(marker.answer, "1 ");
  EXPECT_EQ(marker.stop_reason, StopReason::kStopString);
  EXPECT_EQ(marker.stop_string, "<");
}

TEST_F(GenerationTest, ItsCallerMayStopIt) {
  auto generation = Generation::create(*engine_, {}, ReplyKind::kText).value();
  EXPECT_FALSE(generation.wanted());
  EXPECT_TRUE(generation.stop(StopReason::kInterrupted).empty());
  EXPECT_TRUE(generation.is_done());
  EXPECT_EQ(generation.stop_reason(), StopReason::kInterrupted);
  EXPECT_TRUE(generation.tokens().empty());
}

TEST_F(GenerationTest, OfNoTokensItIsDoneAtOnce) {
  const auto generation =
      Generation::create(*engine_, {.tokens_max = 0}, ReplyKind::kAnswer).value();
  EXPECT_TRUE(generation.is_done());
  EXPECT_EQ(generation.stop_reason(), StopReason::kTokenLimit);
  EXPECT_FALSE(generation.wanted());
}

TEST_F(GenerationTest, WhatCannotBeSampledIsNamed) {
  const auto field_of = [](const GenerateOptions& options) {
    return Generation::create(*engine_, options, ReplyKind::kText).error().field;
  };
  EXPECT_EQ(field_of({.sampling = {.logit_bias = {{static_cast<int32_t>(vocab()), 1}}}}),
            "logit_bias");
  EXPECT_EQ(field_of({.sampling = {.presence_penalty = 3}}), "presence_penalty");
  EXPECT_EQ(field_of({.top_logprob_count = 21}), "top_logprob_count");
}

// ---- any tokens, any stop strings ----

struct Ending {
  size_t begin = std::string::npos;
  std::string stop;
};

// The stop string that is complete first ends a text; of several the longest.
Ending plain_ending(std::string_view text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    Ending ending;
    for (const std::string& stop : stops) {
      if (stop.size() <= ending.stop.size() || !text.substr(0, end).ends_with(stop)) continue;
      ending = {end - stop.size(), stop};
    }
    if (!ending.stop.empty()) return ending;
  }
  return {};
}

std::vector<std::string> random_stops(std::mt19937& random, const std::string& text) {
  std::vector<std::string> stops;
  for (size_t i = random() % 4; i > 0; --i) {
    std::string stop = text.substr(random() % text.size(), 1 + random() % 12);
    if (random() % 2 == 0) stop.back() ^= 1;
    stops.push_back(std::move(stop));
  }
  return stops;
}

// All pieces but the last.
bool ends_at_characters(const std::vector<std::string>& pieces, const std::string& text) {
  size_t character = 0;
  size_t end = 0;
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    end += pieces[i].size();
    while (character < end) character += read_character(text, character).size_bytes;
    if (character != end) return false;
  }
  return true;
}

TEST_F(GenerationTest, PiecesTogetherAreTheTextUpToTheStopString) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    // Among random ids are many that end inside a character.
    Ids ids(1 + random() % 20);
    for (int32_t& id : ids)
      id = static_cast<int32_t>(random() % (random() % 2 == 0 ? 260 : vocab()));
    const std::string text = engine_->decode(ids).value();
    if (text.empty()) continue;
    const std::vector<std::string> stops = random_stops(random, text);
    const Ending ending = plain_ending(text, stops);
    const Told told =
        say(ids, ReplyKind::kText,
            {.tokens_max = std::ssize(ids), .stop_strings = stops, .stops_at_end_of_text = false});
    ASSERT_EQ(told.answer, text.substr(0, ending.begin)) << "round " << round;
    ASSERT_EQ(told.stop_string, ending.stop) << "round " << round;
    ASSERT_EQ(told.stop_reason,
              ending.stop.empty() ? StopReason::kTokenLimit : StopReason::kStopString);
    ASSERT_TRUE(ends_at_characters(told.answer_pieces, text)) << "round " << round;
  }
}

TEST(GenerationOfIdsTest, NeedsNoTokenizer) {
  Engine engine = testing::open_engine(
      {.model_path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/llama",
       .thread_count = 1,
       .needs_text = false});
  EXPECT_FALSE(Generation::create(engine, {}, ReplyKind::kText).ok());
  EXPECT_FALSE(Generation::create(engine, {.stop_strings = {"a"}}, ReplyKind::kIds).ok());
  auto generation = Generation::create(engine, {.tokens_max = 2}, ReplyKind::kIds).value();
  std::vector<float> logits(static_cast<size_t>(engine.info().vocab_size));
  for (const int32_t id : {7, 9}) {
    logits[static_cast<size_t>(id)] += 10;
    const GenerationPiece piece = generation.step(logits, id).value();
    ASSERT_EQ(piece.tokens.size(), 1u);
    EXPECT_EQ(piece.tokens[0].id, id);
    EXPECT_TRUE(piece.answer.empty());
    logits[static_cast<size_t>(id)] = 0;
  }
  EXPECT_EQ(generation.stop_reason(), StopReason::kTokenLimit);
}

}  // namespace
}  // namespace kvasir
