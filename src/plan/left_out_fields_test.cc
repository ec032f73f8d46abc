// What a config leaves out is the reference's own number, or the config is refused: never nothing.
#include <string>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::all_bytes;
using testing::of_config;
using testing::refusal_of;
using testing::row_bytes;

int64_t row(const std::string& type, const std::string& fields) {
  return row_bytes(of_config("{\"model_type\": \"" + type + "\", " + fields + "}"), 1);
}

TEST(LeftOutFields, DimsOfIndexKeys) {
  const std::string latents = R"("num_hidden_layers": 2, "kv_lora_rank": 512,
      "qk_rope_head_dim": 64, "index_topk": 2048, "index_n_heads": 32)";
  for (const char* type : {"glm_moe_dsa", "deepseek_v32", "axk2"}) {
    EXPECT_EQ(row(type, latents), 2 * (576 + 128) * 2) << type;
  }
  // Where the reference knows no indexer a config that has one must say how wide it is.
  EXPECT_NE(refusal_of("{\"model_type\": \"deepseek_v3\", " + latents + "}").find("index_head_dim"),
            std::string::npos);
  EXPECT_EQ(row("minimax_m3_vl_text", R"("num_hidden_layers": 2, "num_attention_heads": 8,
      "num_key_value_heads": 2, "head_dim": 64,
      "layer_types": ["full_attention", "minimax_m3_sparse"])"),
            2 * 2 * 2 * 64 * 2 + 128 * 2);
}

TEST(LeftOutFields, KvHeadsAreNotAlwaysTheHeads) {
  const std::string shape = R"("num_hidden_layers": 1, "hidden_size": 2048, "head_dim": 64,
      "num_attention_heads": 32)";
  constexpr int64_t kHead = 2 * 64 * 2;
  EXPECT_EQ(row("llama", shape), 32 * kHead);
  EXPECT_EQ(row("mixtral", shape + R"(, "sliding_window": null)"), 8 * kHead);
  EXPECT_EQ(row("qwen3_moe", shape), 4 * kHead);
  EXPECT_EQ(row("glm4", shape), 2 * kHead);
  EXPECT_EQ(row("dbrx", shape), 1 * kHead);
  // Qwen2's own 32 are none of a model with 28 heads.
  EXPECT_NE(refusal_of(R"({"model_type": "qwen2", "num_hidden_layers": 1, "hidden_size": 3584,
      "num_attention_heads": 28})")
                .find("num_key_value_heads"),
            std::string::npos);
}

TEST(LeftOutFields, HeadDimsThatDoNotFollowFromTheHiddenSize) {
  const std::string shape = R"("num_hidden_layers": 1, "hidden_size": 2048,
      "num_attention_heads": 32, "num_key_value_heads": 4)";
  EXPECT_EQ(row("llama", shape), 4 * 2 * 64 * 2);
  EXPECT_EQ(row("minimax_m2", shape), 4 * 2 * 128 * 2);
  EXPECT_EQ(row("llama4_text", shape + R"(, "no_rope_layers": [0])"), 4 * 2 * 128 * 2);
  EXPECT_EQ(row("mimo_v2_flash", shape + R"(, "hybrid_layer_pattern": [0])"), 4 * (192 + 128) * 2);
}

TEST(LeftOutFields, LayersThatShareACache) {
  const CacheModel gemma = of_config(R"({"model_type": "gemma3n_text"})");
  EXPECT_EQ(row_bytes(gemma, 100), 100 * (35 - 15) * 2 * 2 * 256 * 2);
  EXPECT_NE(refusal_of(R"({"model_type": "gemma3n_text", "num_hidden_layers": 10})")
                .find("num_kv_shared_layers"),
            std::string::npos);
}

TEST(LeftOutFields, WindowsAndStates) {
  const CacheModel gemma = of_config(R"({"model_type": "gemma4_text", "num_hidden_layers": 6,
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64})");
  EXPECT_EQ(row_bytes(gemma, 1000), (5 * 512 * 64 + 1000 * 512) * 2 * 2 * 2);
  const CacheModel mamba = of_config(R"({"model_type": "mamba2", "num_hidden_layers": 1,
      "num_heads": 16, "head_dim": 64, "state_size": 32, "conv_kernel": 4})");
  EXPECT_EQ(all_bytes(mamba, 0), (16 * 64 + 8 * 2 * 32) * 3 * 2 + 16 * 64 * 32 * 4);
  // The head dim of attention is none of a state.
  EXPECT_NE(refusal_of(R"({"model_type": "nemotron_h", "hybrid_override_pattern": "M*",
      "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 128,
      "mamba_num_heads": 4, "ssm_state_size": 16, "conv_kernel": 4})")
                .find("mamba_d_head"),
            std::string::npos);
}

TEST(LeftOutFields, HowFarAModelGoes) {
  const CacheModel llama = of_config(R"({"model_type": "llama"})");
  EXPECT_EQ(llama.context_tokens_max, 2048);
  EXPECT_FALSE(llama.notes.empty());
  // Python's "no limit".
  EXPECT_EQ(of_config(R"({"model_type": "llama", "max_position_embeddings": null,
      "model_max_length": 1000000000000000019884624838656})")
                .context_tokens_max,
            0);
}

// The limit is that of the scaling, of every architecture but those that count it in.
TEST(LeftOutFields, NorIsScalingForgotten) {
  const std::string linear = R"("rope_scaling": {"rope_type": "linear", "factor": 8.0}})";
  EXPECT_EQ(of_config(R"({"model_type": "llama", "max_position_embeddings": 4096, )" + linear)
                .context_tokens_max,
            32768);
  EXPECT_EQ(
      of_config(R"({"model_type": "gemma3_text", "max_position_embeddings": 131072, )" + linear)
          .context_tokens_max,
      131072);
  const CacheModel wrapped = of_config(R"({"model_type": "mistral3", "text_config": {
      "model_type": "ministral3", "max_position_embeddings": 16384, "num_hidden_layers": 1,
      "num_attention_heads": 32, "rope_parameters": {"type": "yarn", "factor": 16,
      "original_max_position_embeddings": 16384}}})");
  EXPECT_EQ(wrapped.context_tokens_max, 262144);
  EXPECT_NE(wrapped.notes.front().find("yarn"), std::string::npos);
}

}  // namespace
}  // namespace kvasir::plan
