// Layers that only speculative decoding runs, in every spelling.
#include <string>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::built_in;
using testing::of_config;
using testing::row_bytes;

int64_t draft_bytes(const CacheModel& model, int64_t tokens) {
  return row_bytes(model, tokens, {.precision = "bf16", .with_draft = true}) -
         row_bytes(model, tokens, {.precision = "bf16"});
}

CacheModel drafting(const std::string& members) {
  return of_config(R"({"model_type": "exaone_moe", "num_hidden_layers": 4, "hidden_size": 512,
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64,
      "sliding_window": 100, )" +
                   members + "}");
}

constexpr int64_t kLayer = 2 * 2 * 64 * 2;

TEST(Drafts, AreCountedInEverySpelling) {
  const std::string all_full = R"("layer_types": ["full_attention", "full_attention",
      "full_attention", "full_attention"], )";
  for (const char* spelling :
       {R"("num_nextn_predict_layers": 3)", R"("mtp_num_hidden_layers": 3)",
        R"("num_mtp_layers": 3)", R"("mtp_num_layers": 3)",
        R"("use_mtp": true, "num_mtp_modules": 3, "mtp_transformer_layers": 1)",
        R"("num_mtp_modules": 3)", R"("mtp_config": {"num_nextn_predict_layers": 3})"}) {
    EXPECT_EQ(draft_bytes(drafting(all_full + spelling), 1000), 3 * 1000 * kLayer) << spelling;
  }
  EXPECT_EQ(draft_bytes(drafting(all_full + R"("num_mtp_modules": 3,
                                               "mtp_transformer_layers": 2)"),
                        1000),
            6 * 1000 * kLayer);
  EXPECT_EQ(draft_bytes(drafting(all_full + R"("use_mtp": false, "num_mtp_modules": 3)"), 1000), 0);
}

TEST(Drafts, OfPublishedModels) {
  EXPECT_EQ(draft_bytes(built_in("minimax-m2.7"), 1), 3 * 2 * 8 * 128 * 2);
  EXPECT_EQ(draft_bytes(built_in("qwen3.6-27b"), 1), 2 * 4 * 256 * 2);
}

TEST(Drafts, AreOfTheKindsThatTheConfigLists) {
  const std::string base = R"("num_nextn_predict_layers": 2, "layer_types": ["full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention")";
  EXPECT_EQ(draft_bytes(drafting(base + "]"), 1000), 2 * 1000 * kLayer);
  EXPECT_EQ(draft_bytes(drafting(base + R"(, "sliding_attention", "full_attention"])"), 1000),
            (100 + 1000) * kLayer);
  EXPECT_EQ(draft_bytes(drafting(base + R"(], "mtp_layer_types": ["sliding_attention",
                                              "sliding_attention"])"),
                        1000),
            2 * 100 * kLayer);
}

TEST(Drafts, MayBeRowsOfBlocksOfWhichOneAttends) {
  const std::string base = R"({"model_type": "nemotron_h", "hybrid_override_pattern": "M*",
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "mamba_num_heads": 4,
      "mamba_head_dim": 64, "ssm_state_size": 16, "conv_kernel": 4, "num_nextn_predict_layers": 2)";
  EXPECT_EQ(draft_bytes(of_config(base + "}"), 1), 2 * kLayer);
  EXPECT_EQ(draft_bytes(of_config(base + R"(, "mtp_hybrid_override_pattern": "*E"})"), 1),
            2 * kLayer);
  EXPECT_EQ(draft_bytes(of_config(base + R"(, "mtp_layers_block_type": ["attention", "moe",
      "attention"]})"),
                        1),
            4 * kLayer);
}

}  // namespace
}  // namespace kvasir::plan
