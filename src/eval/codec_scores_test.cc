#include "eval/codec_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kvasir::eval {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

// As a log keeps it.
Json kept(const Json& json) { return Json::parse(json.dump(), "test").value(); }

TextScores some_scores() {
  TextScores scores{.kl = {.value = 0.1, .standard_error = kUnbounded, .count = 7},
                    .kl_99 = 0.5,
                    .same_count = 6,
                    .nats_more = {.value = -0.25, .standard_error = 0.125, .count = 7},
                    .text_nats = {3, 2.5},
                    .nats = 2.75,
                    .prefill_tokens_per_s = 100};
  scores.kl.stretch_count = 1;
  scores.nats_more.stretch_count = 2;
  return scores;
}

TEST(CodecScoresTest, EntriesOfALogSayWhatWasMeasured) {
  const Json entry = kept(to_json(some_scores()));
  const TextScores read = text_scores_of(entry).value();
  EXPECT_EQ(to_json(read).dump(), to_json(some_scores()).dump());
  EXPECT_TRUE(std::isinf(read.kl.standard_error));
  EXPECT_EQ(read.nats_more.standard_error, 0.125);
  EXPECT_EQ(read.text_nats.size(), 2u);

  const DivergenceScore divergence{.first_tokens = {64, 0, 8}};
  EXPECT_EQ(divergence_score_of(kept(to_json(divergence)))->first_tokens, divergence.first_tokens);
  EXPECT_EQ(divergence.mean_tokens().value, 24);
  EXPECT_EQ(copy_score_of(kept(to_json(CopyScore{.right_count = 3, .count = 4})))->count, 4);
}

TEST(CodecScoresTest, OtherEntriesAreDamage) {
  EXPECT_FALSE(text_scores_of(Json(1)).ok());
  Json::Object object = *to_json(some_scores()).as_object();
  object.back().first = "another";
  EXPECT_FALSE(text_scores_of(Json(object)).ok());
  object = *to_json(some_scores()).as_object();
  object.front().second = Json(Json::Object{{"value", "many"}});
  EXPECT_FALSE(text_scores_of(Json(object)).ok());
  EXPECT_FALSE(codec_errors_of(Json(Json::Object{})).ok());
  EXPECT_FALSE(copy_score_of(Json(Json::Object{{"right_count", 1}})).ok());
  EXPECT_FALSE(divergence_score_of(Json(Json::Object{{"first_tokens", "1"}})).ok());
}

TEST(CodecScoresTest, ErrorsAreMeansOfLayersThatHaveAny) {
  std::vector<CodingErrors> layers(3);
  layers[0].keys = {.error_squares = 1, .exact_squares = 100};
  layers[2].keys = {.error_squares = 9, .exact_squares = 100};
  const CodecErrors errors = codec_errors_of(kept(to_json(summarise(layers)))).value();
  EXPECT_DOUBLE_EQ(errors.keys.mean, 0.2);
  EXPECT_DOUBLE_EQ(errors.keys.worst, 0.3);
  EXPECT_EQ(errors.keys.worst_layer, 2);
  EXPECT_EQ(errors.values.worst_layer, -1);
}

}  // namespace
}  // namespace kvasir::eval
