#include "engine/reply_stream.h"

#include <gtest/gtest.h>

#include "text/test_support.h"

namespace kvasir {
namespace {

const text::ChatFormat& format() {
  static const auto made = text::ChatFormat::create(text::fixture_tokenizer());
  if (!made) ADD_FAILURE() << made.error().message();
  return *made;
}

struct Shown {
  std::string reasoning;
  std::string answer;
  std::optional<StopReason> end;
};

// `reply` is text with markers as ids; with kIgnore the model spells them out.
Shown show(const std::string& reply, text::SpecialTokens special = text::SpecialTokens::kMatch,
           const std::vector<std::string>& stops = {},
           text::ChatMode mode = text::ChatMode::kDirect) {
  Shown shown;
  ChatReplyStream stream(format().reply_form(), mode == text::ChatMode::kThinking, stops);
  GenerationPiece all;
  for (const int32_t id : text::fixture_tokenizer().encode(reply, special)) {
    shown.end = stream.push(id, all);
    if (shown.end) break;
  }
  stream.finish(all);
  shown.reasoning = all.reasoning;
  shown.answer = all.answer;
  return shown;
}

TEST(ReplyStream, AMarkerOfATurnEndsTheReplyAndIsNotShown) {
  for (const std::string& marker : format().reply_form().turn_markers) {
    for (const auto special : {text::SpecialTokens::kMatch, text::SpecialTokens::kIgnore}) {
      const Shown shown = show("She is." + marker + "And he?", special);
      EXPECT_EQ(shown.answer, "She is.") << marker;
      EXPECT_EQ(shown.end, StopReason::kEndOfText) << marker;
    }
  }
}

TEST(ReplyStream, AMarkerInTheReasoningEndsTheReplyToo) {
  for (const auto special : {text::SpecialTokens::kMatch, text::SpecialTokens::kIgnore}) {
    const Shown shown = show("Well<｜User｜>Who?", special, {}, text::ChatMode::kThinking);
    EXPECT_EQ(shown.reasoning, "Well");
    EXPECT_EQ(shown.answer, "");
    EXPECT_EQ(shown.end, StopReason::kEndOfText);
  }
}

// The limit of tokens may fall into a marker that is spelled out.
TEST(ReplyStream, ABegunMarkerIsNotShownAndOtherTextIs) {
  EXPECT_EQ(show("She is.<｜Us", text::SpecialTokens::kIgnore).answer, "She is.");
  EXPECT_EQ(show("She is.<｜Usual｜>", text::SpecialTokens::kIgnore).answer, "She is.<｜Usual｜>");
  EXPECT_EQ(show("1 <").answer, "1 <");
  EXPECT_EQ(
      show("a <</think> b", text::SpecialTokens::kMatch, {}, text::ChatMode::kThinking).reasoning,
      "a <");
}

TEST(ReplyStream, StopStringsEndTheAnswerBeforeThem) {
  const Shown shown = show("one two three", text::SpecialTokens::kMatch, {"two"});
  EXPECT_EQ(shown.answer, "one ");
  EXPECT_EQ(shown.end, StopReason::kStopString);
  EXPECT_EQ(show("one tw<｜User｜>o", text::SpecialTokens::kMatch, {"two"}).answer, "one tw");
  EXPECT_EQ(show("one tw", text::SpecialTokens::kMatch, {"two"}).answer, "one tw");
}

// A "<" waits for the rest of a marker; the end of the reply lets it go on to the stop strings.
TEST(ReplyStream, AStopStringThatWasHeldBackIsFoundAtTheEnd) {
  EXPECT_EQ(show("1 <", text::SpecialTokens::kMatch, {"<"}).answer, "1 ");
  ChatReplyStream stream(format().reply_form(), false, {"<"});
  GenerationPiece piece;
  for (const int32_t id : text::fixture_tokenizer().encode("1 <", text::SpecialTokens::kMatch)) {
    EXPECT_FALSE(stream.push(id, piece));
  }
  EXPECT_EQ(stream.stop_string(), "");
  stream.finish(piece);
  EXPECT_EQ(stream.stop_string(), "<");
}

TEST(ReplyStream, StopStringsLeaveReasoningAlone) {
  const Shown shown =
      show("two</think>one two", text::SpecialTokens::kMatch, {"two"}, text::ChatMode::kThinking);
  EXPECT_EQ(shown.reasoning, "two");
  EXPECT_EQ(shown.answer, "one ");
  EXPECT_EQ(shown.end, StopReason::kStopString);
}

struct ShownCalls {
  GenerationPiece all;
  std::optional<StopReason> end;
};

// The fixture's tokenizer has no marker for calls, so the bundled one's is used.
const text::ReplyForm& call_form() {
  static const auto tokenizer =
      text::Tokenizer::load(std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny/tokenizer.json");
  static const auto made = text::ChatFormat::create(*tokenizer);
  if (!made) ADD_FAILURE() << made.error().message();
  return made->reply_form();
}

ShownCalls show_calls(const std::string& reply, const std::vector<std::string>& stops = {}) {
  ShownCalls shown;
  ChatReplyStream stream(call_form(), false, stops, text::make_call_reader(call_form(), 0));
  for (const int32_t id : call_form().tokenizer->encode(reply, text::SpecialTokens::kMatch)) {
    shown.end = stream.push(id, shown.all);
    if (shown.end) break;
  }
  stream.finish(shown.all);
  return shown;
}

const std::string kCalls =
    "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" "
    "string=\"true\">END"
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>";

TEST(ReplyStream, CallsEndTheReplyBehindTheirBlock) {
  const ShownCalls shown = show_calls("1 <" + kCalls + "more");
  EXPECT_EQ(shown.all.answer, "1 <");
  ASSERT_GE(shown.all.calls.size(), 3u);
  EXPECT_EQ(shown.all.calls.front().name, "f");
  EXPECT_TRUE(shown.all.calls.back().is_over);
  EXPECT_EQ(shown.end, StopReason::kToolCalls);
}

// Arguments are not searched for stop strings.
TEST(ReplyStream, AStopStringBeforeCallsEndsTheReplyAndTakesThemAway) {
  const ShownCalls found = show_calls("one END" + kCalls, {"END"});
  EXPECT_EQ(found.all.answer, "one ");
  EXPECT_TRUE(found.all.calls.empty());
  EXPECT_EQ(found.end, StopReason::kStopString);
  const ShownCalls begun = show_calls("one EN" + kCalls, {"END"});
  EXPECT_EQ(begun.all.answer, "one EN");
  EXPECT_EQ(begun.end, StopReason::kToolCalls);
}

TEST(ReplyStream, APlainTextShowsMarkersAsTheyAre) {
  PlainReplyStream stream(text::fixture_tokenizer(), {"END"});
  GenerationPiece piece;
  const std::string text = "a<think>b<｜User｜>c EN";
  for (const int32_t id : text::fixture_tokenizer().encode(text, text::SpecialTokens::kMatch)) {
    EXPECT_FALSE(stream.push(id, piece));
  }
  EXPECT_EQ(piece.answer, "a<think>b<｜User｜>c ");
  stream.finish(piece);
  EXPECT_EQ(piece.answer, text);
}

}  // namespace
}  // namespace kvasir
