#include "replay/shown_turn.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir::replay {
namespace {

Message said(std::string text, std::string arguments = "", std::string id = "call_1") {
  Message message{.role = Role::kAssistant};
  if (!text.empty()) message.parts = {std::move(text)};
  if (!arguments.empty()) {
    message.calls = {{.id = std::move(id), .name = "look", .arguments = std::move(arguments)}};
  }
  return message;
}

TEST(ShownTurn, IsTheSameForAllThatClientsMakeOfIt) {
  const Digest256 told = digest_of_shown(said("It rains.\n", R"({"city": "Køln", "days": 2.0})"));
  for (const Message& sent : {
           said("It rains.", R"({"city":"Køln","days":2})"),            // compacted
           said("\nIt rains. ", R"({"days":2,"city":"K\u00f8ln"})"),    // order, escapes
           said("It rains.", R"({"city": "Køln", "days": 2e0})", "x"),  // another id
       }) {
    EXPECT_EQ(digest_of_shown(sent), told) << sent.calls[0].arguments;
  }
  Message thought = said("It rains.", R"({"city": "Køln", "days": 2})");
  thought.reasoning = "Where is that?";
  EXPECT_EQ(digest_of_shown(thought), told) << "reasoning is not shown again";
  Message in_parts = thought;
  in_parts.parts = {"It ", "rains."};
  EXPECT_EQ(digest_of_shown(in_parts), told);
}

TEST(ShownTurn, IsAnotherWhereSomethingElseWasSaid) {
  const Digest256 told = digest_of_shown(said("It rains.", R"({"city": "Køln", "days": 2})"));
  for (const Message& sent : {
           said("It rains", R"({"city": "Køln", "days": 2})"),
           said("It rains.", R"({"city": "Køln", "days": "2"})"),
           said("It rains.", R"({"city": "Køln", "days": 3})"),
           said("It rains.", R"({"city": "Køln"})"),
           said("It rains.", R"({"city": "Køln", "days": 2)"),
           said("It rains."),
           said("", R"({"city": "Køln", "days": 2})"),
       }) {
    EXPECT_NE(digest_of_shown(sent), told);
  }
  Message twice = said("It rains.", R"({"city": "Køln", "days": 2})");
  twice.calls.push_back(twice.calls[0]);
  EXPECT_NE(digest_of_shown(twice), told);
  twice.calls.pop_back();
  twice.calls[0].name = "see";
  EXPECT_NE(digest_of_shown(twice), told);
  // Lists have an order.
  EXPECT_NE(digest_of_shown(said("", "[1, 2]")), digest_of_shown(said("", "[2, 1]")));
}

TEST(ShownTurn, TakesArgumentsThatAreNoJsonAsTheyAre) {
  EXPECT_EQ(digest_of_shown(said("", "{\"a\": ")), digest_of_shown(said("", "{\"a\": ")));
  EXPECT_NE(digest_of_shown(said("", "{\"a\": ")), digest_of_shown(said("", "{\"a\":")));
}

}  // namespace
}  // namespace kvasir::replay
