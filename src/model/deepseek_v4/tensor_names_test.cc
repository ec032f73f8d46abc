#include "model/deepseek_v4/tensor_names.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace kvasir::model::deepseek_v4 {
namespace {

TEST(TensorNames, SpellingsLeadToTheOfficialName) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"embed.weight", "embed.weight"},
      {"model.embed_tokens.weight", "embed.weight"},
      {"embed_tokens.weight", "embed.weight"},
      {"lm_head.weight", "head.weight"},
      {"model.norm.weight", "norm.weight"},
      {"model.hc_head.hc_fn", "hc_head_fn"},
      {"model.hc_head_scale", "hc_head_scale"},
      {"model.layers.7.input_layernorm.weight", "layers.7.attn_norm.weight"},
      {"layers.60.attn_hc.scale", "layers.60.hc_attn_scale"},
      {"layers.0.ffn_hc.fn", "layers.0.hc_ffn_fn"},
      {"model.layers.0.self_attn.q_a_proj.weight_scale_inv", "layers.0.attn.wq_a.scale"},
      {"model.layers.0.attn.q_a_proj.scale", "layers.0.attn.wq_a.scale"},
      {"model.layers.0.self_attn.q_norm.weight", "layers.0.attn.q_norm.weight"},
      {"model.layers.0.self_attn.q_a_norm.weight", "layers.0.attn.q_norm.weight"},
      {"model.layers.0.attn.norm.weight", "layers.0.attn.kv_norm.weight"},
      {"model.layers.0.self_attn.sinks", "layers.0.attn.attn_sink"},
      {"layers.2.self_attn.compressor.kv_norm.weight", "layers.2.attn.compressor.norm.weight"},
      {"layers.2.self_attn.compressor.position_bias", "layers.2.attn.compressor.ape"},
      {"layers.2.self_attn.compressor.indexer.q_b_proj.weight",
       "layers.2.attn.indexer.wq_b.weight"},
      {"layers.2.self_attn.compressor.indexer.scorer.weights_proj.weight",
       "layers.2.attn.indexer.weights_proj.weight"},
      {"layers.2.self_attn.compressor.indexer.weights_proj.weight",
       "layers.2.attn.indexer.weights_proj.weight"},
      {"layers.2.self_attn.compressor.indexer.gate_proj.weight",
       "layers.2.attn.indexer.compressor.wgate.weight"},
      {"layers.2.attn.indexer.compressor.ape", "layers.2.attn.indexer.compressor.ape"},
      {"layers.3.mlp.gate.e_score_correction_bias", "layers.3.ffn.gate.bias"},
      {"layers.0.mlp.gate.tid2eid", "layers.0.ffn.gate.tid2eid"},
      {"layers.0.mlp.experts.gate_up_proj", "layers.0.ffn.experts.gate_up_proj.weight"},
      {"layers.0.mlp.experts.down_proj_scale_inv", "layers.0.ffn.experts.down_proj.scale"},
      {"layers.0.mlp.experts.255.up_proj.weight", "layers.0.ffn.experts.255.w3.weight"},
      {"layers.0.ffn.shared_experts.w2.scale", "layers.0.ffn.shared_experts.w2.scale"},
      {"layers.0.mlp.shared_experts.gate_proj.weight", "layers.0.ffn.shared_experts.w1.weight"},
  };
  for (const auto& [stored, official] : cases) {
    EXPECT_EQ(official_tensor_name(stored), official) << stored;
    EXPECT_FALSE(tensor_is_ignored(stored)) << stored;
  }
}

TEST(TensorNames, OtherNamesBelongToNothing) {
  for (const char* name : {"",
                           ".",
                           "model.",
                           "model",
                           "embed",
                           "embed.",
                           "embed.weight.",
                           "embed.weight.weight",
                           ".embed.weight",
                           "embed..weight",
                           "model.model.embed.weight",
                           "layers",
                           "layers.0",
                           "layers.01.attn_norm.weight",
                           "layers.-1.attn_norm.weight",
                           "layers.x.attn_norm.weight",
                           "layers.99999999999999999999.attn_norm.weight",
                           "layers.0.attn.wq_a",
                           "layers.0.attn.wq_a.bias",
                           "layers.0.attn.q_norm.scale",
                           "layers.0.attn.compressor",
                           "layers.0.ffn.experts.0.w4.weight",
                           "layers.0.ffn.experts.w1.weight",
                           "layers.0.ffn.gate.experts.weight",
                           "layers.0.mlp.up_proj.weight",
                           "Embed.weight",
                           "e_proj.weight"}) {
    EXPECT_EQ(official_tensor_name(name), std::nullopt) << name;
    EXPECT_FALSE(tensor_is_ignored(name)) << name;
  }
}

TEST(TensorNames, PartsOutsideTheBodyAreIgnored) {
  for (const char* name :
       {"mtp.0.e_proj.weight", "mtp.2.confidence_head.proj.weight", "model.mtp.0.norm.weight",
        "vision.patch.weight", "model.vision.patch.weight", "aligner.w.weight", "image_newline",
        "model.rotary_emb.main_inv_freq", "model.layers.0.self_attn.rotary_emb.inv_freq"}) {
    EXPECT_TRUE(tensor_is_ignored(name)) << name;
    EXPECT_EQ(official_tensor_name(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace kvasir::model::deepseek_v4
