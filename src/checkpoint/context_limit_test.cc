#include "checkpoint/context_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir {
namespace {

int64_t limit_of(const std::string& members, int64_t stated = 32768) {
  const auto json = Json::parse("{" + members + "}", "test");
  EXPECT_TRUE(json.ok()) << members;
  if (!json.ok()) return -1;
  const ConfigFields fields(*json, "test");
  const ContextLimit limit = context_limit(fields, stated);
  EXPECT_EQ(limit.scaling.empty(), limit.tokens == stated) << members;
  return limit.tokens;
}

int64_t scaled(const std::string& scaling, int64_t stated = 32768) {
  return limit_of("\"rope_scaling\": {" + scaling + "}", stated);
}

TEST(ContextLimit, YarnCountsFromThePositionsBeforeIt) {
  const std::string four =
      R"("type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768)";
  EXPECT_EQ(scaled(four), 131072);
  EXPECT_EQ(scaled(four, 40960), 131072);   // room for an answer beside it
  EXPECT_EQ(scaled(four, 131072), 131072);  // counted in already
  EXPECT_EQ(scaled(four, 0), 131072);
  EXPECT_EQ(scaled(R"("rope_type": "yarn", "factor": 4)"), 131072);
  EXPECT_EQ(limit_of(R"("rope_scaling": {"rope_type": "yarn", "factor": 2},
                        "original_max_position_embeddings": 16384)"),
            32768);
  // Nothing says that YaRN is to be used beyond what the config was cut down to.
  EXPECT_EQ(scaled(four, 512), 512);
}

TEST(ContextLimit, LinearAndDynamicScalingMultiply) {
  for (const char* type : {"linear", "dynamic", "ntk"}) {
    const std::string twice = "\"type\": \"" + std::string(type) + "\", \"factor\": 2.0";
    EXPECT_EQ(scaled(twice), 65536) << type;
    EXPECT_EQ(scaled(twice + ", \"original_max_position_embeddings\": 16384"), 32768) << type;
    EXPECT_EQ(scaled(twice, 0), 0) << type;
  }
  EXPECT_EQ(scaled(R"("type": "dynamic", "alpha": 1000.0)"), 32768);
}

TEST(ContextLimit, OthersStateTheResult) {
  EXPECT_EQ(scaled(R"("rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                      "original_max_position_embeddings": 8192)",
                   131072),
            131072);
  for (const char* type : {"longrope", "su"}) {
    const std::string scaling = "\"type\": \"" + std::string(type) + "\", \"factor\": 32.0";
    EXPECT_EQ(scaled(scaling, 131072), 131072) << type;
    EXPECT_EQ(scaled(scaling + ", \"original_max_position_embeddings\": 4096", 0), 131072) << type;
  }
  EXPECT_EQ(scaled(R"("type": "mrope", "mrope_section": [16, 24, 24])"), 32768);
  EXPECT_EQ(scaled(R"("rope_type": "default", "factor": 4.0)"), 32768);
}

TEST(ContextLimit, EitherNameAndByTypeOfLayer) {
  const std::string yarn =
      R"({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 32768})";
  EXPECT_EQ(limit_of("\"rope_parameters\": " + yarn), 131072);
  EXPECT_EQ(limit_of("\"rope_scaling\": null, \"rope_parameters\": " + yarn), 131072);
  EXPECT_EQ(limit_of("\"rope_scaling\": {}, \"rope_parameters\": " + yarn), 131072);
  EXPECT_EQ(limit_of(R"("rope_parameters": {"sliding_attention": {"rope_type": "default"},
                        "full_attention": )" +
                     yarn + "}"),
            131072);
  EXPECT_EQ(limit_of(R"("rope_scaling": "yarn")"), 32768);
}

}  // namespace
}  // namespace kvasir
