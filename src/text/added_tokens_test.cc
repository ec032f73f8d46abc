#include "text/added_tokens.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace kvasir::text {
namespace {

using Segments = std::vector<std::pair<std::string, int32_t>>;

AddedTokens make(std::vector<AddedToken> tokens) {
  auto added = AddedTokens::build(std::move(tokens), "test");
  EXPECT_TRUE(added.ok());
  return *added;
}

Segments split(const AddedTokens& added, std::string_view text) {
  Segments segments;
  for (const TextSegment& s : added.split(text)) segments.emplace_back(std::string(s.text), s.id);
  return segments;
}

TEST(AddedTokens, LeftmostThenLongest) {
  const AddedTokens added = make({{"ab", 1}, {"abcd", 2}, {"bcdef", 3}, {"c", 4}});
  EXPECT_EQ(split(added, "xabcdefc"), (Segments{{"x", -1}, {"abcd", 2}, {"ef", -1}, {"c", 4}}));
  EXPECT_EQ(split(added, "abcx"), (Segments{{"ab", 1}, {"c", 4}, {"x", -1}}));
  EXPECT_EQ(split(added, "bcde"), (Segments{{"b", -1}, {"c", 4}, {"de", -1}}));
  EXPECT_EQ(split(added, ""), Segments{});
}

TEST(AddedTokens, NormalizedOnesComeSecond) {
  const AddedTokens added =
      make({{.content = "b", .id = 1}, {.content = "ab", .id = 2, .normalized = true}});
  EXPECT_EQ(split(added, "ab"), (Segments{{"a", -1}, {"b", 1}}));
  EXPECT_EQ(split(make({{.content = "ab", .id = 2, .normalized = true}}), "xab"),
            (Segments{{"x", -1}, {"ab", 2}}));
}

TEST(AddedTokens, MatchesTakeWhiteSpaceAlong) {
  const AddedTokens added = make({{.content = "<l>", .id = 1, .strips_before = true},
                                  {.content = "<r>", .id = 2, .strips_after = true}});
  EXPECT_EQ(split(added, "a \n<l> b"), (Segments{{"a", -1}, {" \n<l>", 1}, {" b", -1}}));
  EXPECT_EQ(split(added, "a <r>\u2003 b"), (Segments{{"a ", -1}, {"<r>\u2003 ", 2}, {"b", -1}}));
  EXPECT_EQ(split(added, "<r>  <l>"), (Segments{{"<r>  ", 2}, {"<l>", 1}}));
}

TEST(AddedTokens, SingleWords) {
  const AddedTokens added = make({{.content = "ab", .id = 1, .single_word = true}});
  EXPECT_EQ(split(added, "ab abc éab -ab-ab"),
            (Segments{{"ab", 1}, {" abc éab -", -1}, {"ab", 1}, {"-", -1}, {"ab", 1}}));
}

TEST(AddedTokens, NormalizedContents) {
  const Normalizer blanks({{.kind = NormalizerStep::Kind::kReplace, .from = " ", .to = "_"}});
  const auto added =
      AddedTokens::build({{.content = "a b", .id = 1, .normalized = true}}, "test", blanks);
  ASSERT_TRUE(added.ok());
  EXPECT_EQ(added->split_normalized("a_b", SpecialTokens::kMatch)[0].id, 1);
  EXPECT_EQ(added->split_normalized("a b", SpecialTokens::kMatch)[0].id, -1);
}

TEST(AddedTokens, InUserTextOnlyThoseForEveryText) {
  const AddedTokens added = make({{"<a>", 1}, {.content = "\n\n", .id = 2, .in_every_text = true}});
  const auto segments = added.split_raw("<a>\n\n", SpecialTokens::kIgnore);
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[0].id, -1);
  EXPECT_EQ(segments[1].id, 2);
}

TEST(AddedTokens, Finds) {
  const AddedTokens added = make({{"<b>", 7}, {"<a>", 9}});
  EXPECT_EQ(added.find_id(7)->content, "<b>");
  EXPECT_EQ(added.find_id(8), nullptr);
  EXPECT_EQ(added.find_content("<a>")->id, 9);
  EXPECT_EQ(added.find_content("<"), nullptr);
}

TEST(AddedTokens, RefusesWhatIsAmbiguous) {
  EXPECT_FALSE(AddedTokens::build({{"a", 1}, {"a", 2}}, "t").ok());
  EXPECT_FALSE(AddedTokens::build({{"a", 1}, {"b", 1}}, "t").ok());
  EXPECT_FALSE(AddedTokens::build({{"", 1}}, "t").ok());
  EXPECT_FALSE(AddedTokens::build({{std::string(1000, 'a'), 1}}, "t").ok());
}

}  // namespace
}  // namespace kvasir::text
