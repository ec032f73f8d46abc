// Generation and chat through the public interface, on the bundled model: what is reused, what is
// computed, what ends an answer. None of it depends on what the model says.
#include <gtest/gtest.h>

#include "engine_driver.h"
#include "kvasir/chat.h"
#include "kvasir/generate.h"
#include "kvasir/messages.h"

namespace kvasir {
namespace {

Engine bundled_engine() {
  return testing::open_engine(
      {.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny", .thread_count = 2});
}

class ChatSessionTest : public ::testing::Test {
 protected:
  Session prompt(std::string_view text) {
    Session session = testing::new_session(engine_);
    EXPECT_TRUE(session.append(engine_.encode(text).value()).ok());
    return session;
  }

  Engine engine_ = bundled_engine();
};

TEST_F(ChatSessionTest, PiecesAreTheTextAndTheTokensItsEncoding) {
  Session session = prompt("It is a truth");
  std::string pieces;
  const auto generated = generate(engine_, session, {.tokens_max = 30},
                                  [&](std::string_view piece) { pieces += piece; });
  ASSERT_TRUE(generated.ok()) << generated.error().message();
  EXPECT_FALSE(generated->tokens.empty());
  EXPECT_EQ(pieces, generated->text);
  EXPECT_LE(std::ssize(generated->tokens), 30);
}

TEST_F(ChatSessionTest, TheSameSeedGivesTheSameTextAndAnInterruptedRunGoesOnAsIfItWasNot) {
  const GenerateOptions options{
      .sampling = {.temperature = 1, .seed = 7}, .tokens_max = 24, .stops_at_end_of_text = false};
  Session whole = prompt("In the beginning");
  const auto expected = generate(engine_, whole, options).value();
  Session cut = prompt("In the beginning");
  GenerateOptions half = options;
  half.tokens_max = 11;
  const auto first = generate(engine_, cut, half).value();
  EXPECT_EQ(first.stop_reason, StopReason::kTokenLimit);
  ASSERT_TRUE(cut.append(std::span(first.tokens).last(1)).ok());
  half.tokens_max = 13;
  const auto second = generate(engine_, cut, half).value();
  auto joined = first.tokens;
  joined.insert(joined.end(), second.tokens.begin(), second.tokens.end());
  EXPECT_EQ(joined, expected.tokens);
}

TEST_F(ChatSessionTest, AStopStringEndsTheTextBeforeIt) {
  Session session = prompt("It is a truth");
  const auto free = generate(engine_, session, {.tokens_max = 30}).value();
  ASSERT_GT(free.text.size(), 12u);
  const std::string stop = free.text.substr(8, 3);
  Session again = prompt("It is a truth");
  const auto stopped = generate(engine_, again, {.tokens_max = 30, .stop_strings = {stop}}).value();
  EXPECT_EQ(stopped.stop_reason, StopReason::kStopString);
  EXPECT_EQ(stopped.text, free.text.substr(0, free.text.find(stop)));
}

TEST_F(ChatSessionTest, AnInterruptionIsReportedAndLeavesAUsableSession) {
  Session session = prompt("It is a truth");
  std::atomic<bool> interrupted{true};
  const auto generated =
      generate(engine_, session, {.tokens_max = 30, .interrupted = &interrupted}).value();
  EXPECT_EQ(generated.stop_reason, StopReason::kInterrupted);
  EXPECT_TRUE(generated.tokens.empty());
  interrupted = false;
  EXPECT_FALSE(generate(engine_, session, {.tokens_max = 3, .interrupted = &interrupted})
                   .value()
                   .tokens.empty());
}

TEST_F(ChatSessionTest, ASecondTurnComputesOnlyWhatIsNew) {
  Chat chat = Chat::create(engine_, {.system = "You are brief."}).value();
  const auto first = chat.turn("Who are you?", {.tokens_max = 12}).value();
  EXPECT_EQ(first.reused_tokens, 0);
  EXPECT_EQ(first.computed_tokens, first.prompt_tokens);
  const auto second = chat.turn("And who am I?", {.tokens_max = 12}).value();
  // All of the first prompt and its answer but the last sampled token, which was never appended.
  EXPECT_EQ(second.reused_tokens, first.prompt_tokens + first.generated_tokens - 1);
  EXPECT_EQ(second.reused_tokens + second.computed_tokens, second.prompt_tokens);
}

TEST_F(ChatSessionTest, ThinkingTurnsReuseUpToTheReplyWhoseReasoningGoes) {
  Chat chat = Chat::create(engine_, {.thinking = true}).value();
  const auto first = chat.turn("Who are you?", {.tokens_max = 12}).value();
  const auto second = chat.turn("And who am I?", {.tokens_max = 12}).value();
  EXPECT_EQ(second.reused_tokens, first.prompt_tokens - 1);
}

// What a conversation's cache holds after several turns gives the bits of a fresh prefill.
TEST_F(ChatSessionTest, AConversationAnswersAsIfItWereReadAnew) {
  for (const bool thinking : {false, true}) {
    Chat chat = Chat::create(engine_, {.thinking = thinking}).value();
    std::vector<std::string> answers;
    for (const char* text : {"Hello.", "Who wrote Emma?", "Tell me a story."}) {
      answers.push_back(chat.turn(text, {.tokens_max = 16}).value().answer);
    }
    Engine other = bundled_engine();
    Chat replay = Chat::create(other, {.thinking = thinking}).value();
    for (size_t i = 0; const char* text : {"Hello.", "Who wrote Emma?", "Tell me a story."}) {
      EXPECT_EQ(replay.turn(text, {.tokens_max = 16}).value().answer, answers[i++]);
    }
  }
}

// The bundled model is small and runs on into turns of its own.
TEST_F(ChatSessionTest, AnAnswerEndsBeforeTheNextTurn) {
  Chat chat = Chat::create(engine_, {}).value();
  const GenerateOptions options{.tokens_max = 40, .stops_at_end_of_text = false};
  for (const char* text : {"Who is Anne?", "What is the code?", "Who are you?", "Hello!"}) {
    std::string shown;
    const auto turn =
        chat.turn(text, options, [&](std::string_view piece, bool) { shown += piece; }).value();
    EXPECT_EQ(turn.answer.find("｜"), std::string::npos) << turn.answer;
    EXPECT_EQ(shown, turn.answer);
    if (turn.generated_tokens < 40) {
      EXPECT_EQ(turn.stop_reason, StopReason::kEndOfText);
    }
  }
}

// Some configs do not say which token ends a text; the end marker still ends a reply.
TEST_F(ChatSessionTest, AReplyEndsAtItsMarkerEvenIfNothingElseStopsThere) {
  Chat chat = Chat::create(engine_, {}).value();
  for (const char* text : {"Hello.", "Who are you?", "Goodbye."}) {
    const auto turn = chat.turn(text, {.tokens_max = 200, .stops_at_end_of_text = false});
    ASSERT_TRUE(turn.ok());
    if (turn->stop_reason == StopReason::kTokenLimit) continue;
    EXPECT_EQ(turn->stop_reason, StopReason::kEndOfText);
  }
}

TEST_F(ChatSessionTest, ABatchThatIsNoPassIsRefused) {
  Session a = prompt("It is");
  const std::vector<int32_t> tokens(300, 5);
  const BatchInput too_many{&a, tokens};
  EXPECT_FALSE(engine_.append_batch({&too_many, 1}).ok());
  const BatchInput none{&a, {}};
  EXPECT_FALSE(engine_.append_batch({&none, 1}).ok());
}

TEST_F(ChatSessionTest, TokensOutsideTheVocabularyAreRefusedWhole) {
  Session session = prompt("It is");
  const int64_t length = session.length();
  const std::vector<int32_t> bad{1, 2, static_cast<int32_t>(engine_.info().vocab_size)};
  const auto result = session.append(bad);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().where, "token 2");
  EXPECT_EQ(session.length(), length);
}

TEST_F(ChatSessionTest, AChatFormWritesWhatAChatWrites) {
  const ChatForm form = ChatForm::create(engine_).value();
  const std::vector<Message> messages = {{.role = Role::kSystem, .parts = {"Be brief."}},
                                         {.role = Role::kUser, .parts = {"Who wrote Emma?"}}};
  const auto formed = form.encode(messages, {.thinking = Thinking::kOff});
  ASSERT_TRUE(formed.ok()) << formed.error().message();
  EXPECT_EQ(formed->tokens,
            encode_chat_prompt(engine_, {.system = "Be brief."}, "Who wrote Emma?").value());
  EXPECT_FALSE(formed->starts_in_reasoning);
}

}  // namespace
}  // namespace kvasir
