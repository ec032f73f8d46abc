#include "server/dialects/token_logprobs.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace kvasir::server {
namespace {

const std::vector<std::string> kTexts = {"\xe2", "\x82\xac", "ab", "é", "ab", "\x80", ""};
std::string text_of(int32_t id) { return kTexts[static_cast<size_t>(id)]; }

TEST(TokenLogprobsTest, NumbersAreShortAndFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const struct {
    float logprob;
    const char* expected;
  } cases[] = {{-0.1f, "-0.1"},        {0, "0.0"},
               {1e-7f, "0.0"},         {-infinity, "-9999.0"},
               {-20000, "-9999.0"},    {std::numeric_limits<float>::quiet_NaN(), "-9999.0"},
               {-12.3456f, "-12.3456"}};
  for (const auto& [logprob, expected] : cases) {
    const Json token = chat_logprobs(std::vector{SampledToken{2, logprob, {}}}, text_of).front();
    EXPECT_EQ(token.find("logprob")->dump(), expected);
  }
}

TEST(TokenLogprobsTest, BytesTellPartsOfCharacters) {
  const Json token = chat_logprobs(std::vector{SampledToken{0, -1, {}}}, text_of).front();
  EXPECT_EQ(token.dump(),
            "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-1.0,\"bytes\":[226],"
            "\"top_logprobs\":[]}");
}

TEST(TokenLogprobsTest, ListsCountCharacters) {
  CompletionLogprobs logprobs(text_of, 2);
  EXPECT_TRUE(logprobs.empty());
  // Tokens 2 and 4 have the same text: the more likely one stands for both.
  logprobs.add(
      std::vector{SampledToken{2, -1, {{4, -0.5f}, {0, -0.75f}}}, SampledToken{3, -1, {}}});
  logprobs.add(std::vector{SampledToken{0, -2, {}}, SampledToken{1, -3, {}},
                           SampledToken{6, -4, {}}, SampledToken{5, -5, {}}});
  EXPECT_FALSE(logprobs.empty());
  EXPECT_EQ(logprobs.take().dump(),
            "{\"tokens\":[\"ab\",\"é\",\"bytes:\\\\xe2\",\"bytes:\\\\x82\\\\xac\",\"\","
            "\"bytes:\\\\x80\"],\"token_logprobs\":[-1.0,-1.0,-2.0,-3.0,-4.0,-5.0],"
            "\"top_logprobs\":[{\"ab\":-0.5,\"bytes:\\\\xe2\":-0.75},{\"é\":-1.0},"
            "{\"bytes:\\\\xe2\":-2.0},{\"bytes:\\\\x82\\\\xac\":-3.0},{\"\":-4.0},"
            "{\"bytes:\\\\x80\":-5.0}],\"text_offset\":[0,2,3,4,4,4]}");
  EXPECT_TRUE(logprobs.empty());
}

}  // namespace
}  // namespace kvasir::server
