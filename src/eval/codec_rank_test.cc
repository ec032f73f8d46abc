#include "eval/codec_rank.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kvasir::eval {
namespace {

// bits: of a value.
CodecScores scores_of(const char* precision, int64_t bits, double kl) {
  CodecScores scores{
      .precision = precision,
      .size = {.block_tokens = 128, .block_bytes = 128 * bits, .block_values = 1024}};
  scores.texts.kl.value = kl;
  return scores;
}

TEST(CodecRankTest, SortsBySizeAndMarksWhatNothingBeats) {
  const auto ranked = rank_codecs({scores_of("four", 4, 0.01), scores_of("exact", 32, 0),
                                   scores_of("eight", 8, 0.001), scores_of("poor four", 4, 0.02),
                                   scores_of("poor eight", 8, 0.015), scores_of("half", 16, 0)});
  std::string order;
  for (const RankedCodec& one : ranked) {
    order += one.scores.precision + (one.is_on_frontier ? "*, " : ", ");
  }
  EXPECT_EQ(order, "exact, half*, eight*, poor eight, four*, poor four, ");
  EXPECT_EQ(ranked[2].scores.bits(), 8);
}

TEST(CodecRankTest, EqualsAreBothOnTheFrontier) {
  const auto ranked = rank_codecs({scores_of("a", 4, 0.01), scores_of("b", 4, 0.01)});
  EXPECT_TRUE(ranked[0].is_on_frontier);
  EXPECT_TRUE(ranked[1].is_on_frontier);
}

TEST(CodecRankTest, NamesQualities) {
  EXPECT_STREQ(quality_of(0), "lossless");
  EXPECT_STREQ(quality_of(0.0005), "as FP8");
  EXPECT_STREQ(quality_of(0.0119), "good 4 bits");
  EXPECT_STREQ(quality_of(0.05), "3 bits");
  EXPECT_STREQ(quality_of(0.06), "experimental");
}

// 128 rows of 1 bit a value, 16 bytes kept whole and 32 whatever the length: of 200 tokens 2
// blocks.
TEST(CodecRankTest, HeldBitsCountAllThatASessionTakes) {
  CodecScores scores = scores_of("one", 1, 0);
  scores.size.whole_bytes = 16;
  scores.size.fixed_bytes = 32;
  EXPECT_DOUBLE_EQ(scores.held_bits(200), 8.0 * (2 * 128 + 16 + 32) / (8 * 200));
  EXPECT_DOUBLE_EQ(scores.bytes_per_token(), 1);
}

}  // namespace
}  // namespace kvasir::eval
