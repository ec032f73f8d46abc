#include "model/deepseek_v4/test_support.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/json.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint_maker.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using testing::NameForm;
using testing::TinyModelSpec;

Json::Object config_of(NameForm form = NameForm::kOfficial) {
  TinyModelSpec spec;
  spec.names = form;
  return testing::tiny_config(spec);
}

void remove_field(Json::Object& object, std::string_view name) {
  std::erase_if(object, [&](const auto& member) { return member.first == name; });
}

void set_field(Json::Object& object, std::string_view name, Json value) {
  for (auto& [member, old] : object) {
    if (member != name) continue;
    old = std::move(value);
    return;
  }
  object.emplace_back(std::string(name), std::move(value));
}

Result<Config> parse(const Json::Object& config) {
  return parse_config(Json(config).dump(), "config.json");
}

Config parse_ok(const Json::Object& config) {
  auto result = parse(config);
  EXPECT_TRUE(result.ok()) << result.error().message();
  return result.ok() ? *result : Config();
}

void expect_message(const Json::Object& config, const std::vector<std::string>& parts) {
  const auto result = parse(config);
  ASSERT_FALSE(result.ok()) << "expected: " << parts[0];
  const std::string message = result.error().message();
  EXPECT_NE(message.find("config.json"), std::string::npos) << message;
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

Json list(std::initializer_list<Json> items) { return Json(Json::Array(items)); }

TEST(Config, OfficialFieldsAreRead) {
  const Config config = parse_ok(config_of());
  EXPECT_EQ(config.vocab_size, 96);
  EXPECT_EQ(config.hidden_size, 96);
  EXPECT_EQ(config.layer_count, 4);
  EXPECT_EQ(config.hash_layer_count, 1);
  EXPECT_EQ(config.head_count, 4);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.rope_dim, 16);
  EXPECT_EQ(config.query_rank, 64);
  EXPECT_EQ(config.output_group_count, 2);
  EXPECT_EQ(config.output_rank, 32);
  EXPECT_EQ(config.window, 16);
  EXPECT_EQ(config.index_head_count, 2);
  EXPECT_EQ(config.index_head_dim, 32);
  EXPECT_EQ(config.index_top_k, 4);
  EXPECT_EQ(config.expert_count, 4);
  EXPECT_EQ(config.experts_per_token, 2);
  EXPECT_EQ(config.expert_width, 64);
  EXPECT_EQ(config.shared_expert_count, 1);
  EXPECT_EQ(config.stream_count, 4);
  EXPECT_EQ(config.sinkhorn_iterations, 20);
  EXPECT_EQ(config.max_position_count, 1048576);
  EXPECT_EQ(config.hyper_eps, 1e-6f);
  EXPECT_EQ(config.norm_eps, 1e-6f);
  EXPECT_EQ(config.routed_scale, 1.5f);
  EXPECT_EQ(config.swiglu_limit, 10.0f);
  EXPECT_TRUE(config.norm_topk_prob);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.eos_token_ids, std::vector<int64_t>{1});
  EXPECT_EQ(config.layers,
            (std::vector{LayerKind::kWindow, LayerKind::kCsa, LayerKind::kHca, LayerKind::kCsa}));
}

TEST(Config, RopeIsRead) {
  const Config config = parse_ok(config_of());
  EXPECT_EQ(config.window_rope.theta, 10000);
  EXPECT_FALSE(config.window_rope.has_yarn);
  EXPECT_EQ(config.compressed_rope.theta, 160000);
  ASSERT_TRUE(config.compressed_rope.has_yarn);
  EXPECT_EQ(config.compressed_rope.yarn.factor, 16);
  EXPECT_EQ(config.compressed_rope.yarn.beta_fast, 32);
  EXPECT_EQ(config.compressed_rope.yarn.beta_slow, 1);
  EXPECT_EQ(config.compressed_rope.yarn.original_context, 65536);
}

TEST(Config, FieldsOfTransformersMeanTheSame) {
  expect_same(parse_ok(config_of(NameForm::kRuntime)), parse_ok(config_of()));
  TinyModelSpec spec;
  spec.has_yarn = false;
  const Config official = parse_ok(testing::tiny_config(spec));
  EXPECT_FALSE(official.compressed_rope.has_yarn);
  spec.names = NameForm::kRuntime;
  expect_same(parse_ok(testing::tiny_config(spec)), official);
}

TEST(Config, FileOfTransformersIsRead) {
  const auto file = MappedFile::open(std::string(KVASIR_SOURCE_DIR) +
                                     "/tests/golden/transformers-saved/config.json");
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto config = parse_config((*file)->text(), "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->rope_dim, 4);
  EXPECT_EQ(config->hash_layer_count, 1);
  EXPECT_EQ(config->layers, (std::vector{LayerKind::kWindow, LayerKind::kCsa, LayerKind::kHca}));
}

// Each entry changes the config into another spelling of the same model.
TEST(Config, AliasesMeanTheSame) {
  const std::vector<std::function<void(Json::Object&)>> changes = {
      [](Json::Object& c) {
        remove_field(c, "n_routed_experts");
        set_field(c, "num_local_experts", 4);
      },
      [](Json::Object& c) {
        remove_field(c, "moe_intermediate_size");
        set_field(c, "intermediate_size", 64);
      },
      [](Json::Object& c) {
        remove_field(c, "qk_rope_head_dim");
        set_field(c, "partial_rotary_factor", 0.25);
      },
      [](Json::Object& c) { set_field(c, "eos_token_id", list({1})); },
      [](Json::Object& c) {
        set_field(c, "compress_ratios", list({0, 4, 128, 4}));
      },
      [](Json::Object& c) {
        set_field(c, "compress_ratios", list({0, 4, 128, 4, 0, 0, 0}));
      },
      [](Json::Object& c) { set_field(c, "compress_rate_csa", 4); },
      [](Json::Object& c) { set_field(c, "quantization_config", Json::Object{}); },
      [](Json::Object& c) {
        set_field(c, "quantization_config", Json::Object{{"weight_block_size", list({128, 128})}});
      },
      [](Json::Object& c) { remove_field(c, "model_type"); },
      [](Json::Object& c) { remove_field(c, "architectures"); },
      [](Json::Object& c) { remove_field(c, "topk_method"); },
      [](Json::Object& c) {
        set_field(c, "rope_parameters",
                  Json::Object{{"rope_type", "yarn"},
                               {"factor", 16.0},
                               {"rope_theta", 10000},
                               {"original_max_position_embeddings", 65536}});
        remove_field(c, "rope_scaling");
      },
  };
  const Config expected = parse_ok(config_of());
  for (size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    Json::Object config = config_of();
    changes[i](config);
    expect_same(parse_ok(config), expected);
  }
}

TEST(Config, AbsentOptionalFieldsHaveTheirDefaults) {
  Json::Object config = config_of();
  for (const char* name : {"swiglu_limit", "rope_scaling", "max_position_embeddings",
                           "norm_topk_prob", "tie_word_embeddings", "eos_token_id", "bos_token_id",
                           "hidden_act", "num_key_value_heads"}) {
    remove_field(config, name);
  }
  const Config parsed = parse_ok(config);
  EXPECT_TRUE(std::isinf(parsed.swiglu_limit));
  EXPECT_FALSE(parsed.compressed_rope.has_yarn);
  EXPECT_EQ(parsed.max_position_count, 0);
  EXPECT_TRUE(parsed.norm_topk_prob);
  EXPECT_FALSE(parsed.tie_word_embeddings);
  EXPECT_TRUE(parsed.eos_token_ids.empty());
  set_field(config, "swiglu_limit", Json());
  EXPECT_TRUE(std::isinf(parse_ok(config).swiglu_limit));
  set_field(config, "swiglu_limit", 0);
  EXPECT_TRUE(std::isinf(parse_ok(config).swiglu_limit));
}

TEST(Config, IndexerFieldsAreOnlyNeededByCsaLayers) {
  Json::Object config = config_of();
  set_field(config, "compress_ratios", list({0, 128, 0, 128}));
  for (const char* name : {"index_n_heads", "index_head_dim", "index_topk"}) {
    remove_field(config, name);
  }
  EXPECT_EQ(parse_ok(config).index_head_count, 0);
  set_field(config, "compress_ratios", list({0, 128, 4, 128}));
  expect_message(config, {"missing", "index_n_heads"});
}

TEST(Config, WindowOnlyModelsNeedNoCompressedRope) {
  Json::Object config = config_of();
  set_field(config, "compress_ratios", list({0, 0, 0, 0}));
  remove_field(config, "compress_rope_theta");
  EXPECT_EQ(parse_ok(config).window_rope.theta, 10000);
}

TEST(Config, EveryRequiredFieldIsMissed) {
  for (const char* name : {"vocab_size",
                           "hidden_size",
                           "num_hidden_layers",
                           "num_attention_heads",
                           "head_dim",
                           "qk_rope_head_dim",
                           "q_lora_rank",
                           "o_groups",
                           "o_lora_rank",
                           "sliding_window",
                           "index_n_heads",
                           "index_head_dim",
                           "index_topk",
                           "n_routed_experts",
                           "n_shared_experts",
                           "num_experts_per_tok",
                           "moe_intermediate_size",
                           "scoring_func",
                           "routed_scaling_factor",
                           "hc_mult",
                           "hc_sinkhorn_iters",
                           "hc_eps",
                           "rms_norm_eps",
                           "compress_ratios",
                           "num_hash_layers",
                           "rope_theta",
                           "compress_rope_theta"}) {
    Json::Object config = config_of();
    remove_field(config, name);
    expect_message(config, {name});
  }
}

TEST(Config, EveryNumberIsBounded) {
  for (const char* name : {"vocab_size",
                           "hidden_size",
                           "num_hidden_layers",
                           "num_attention_heads",
                           "head_dim",
                           "qk_rope_head_dim",
                           "q_lora_rank",
                           "o_groups",
                           "o_lora_rank",
                           "sliding_window",
                           "index_n_heads",
                           "index_head_dim",
                           "index_topk",
                           "n_routed_experts",
                           "n_shared_experts",
                           "num_experts_per_tok",
                           "moe_intermediate_size",
                           "hc_mult",
                           "hc_sinkhorn_iters",
                           "num_hash_layers",
                           "rms_norm_eps",
                           "rope_theta",
                           "max_position_embeddings"}) {
    for (const Json& value : {Json(-1), Json(int64_t{1} << 62), Json("8"), Json(1e300)}) {
      Json::Object config = config_of();
      set_field(config, name, value);
      expect_message(config, {name, value.dump()});
    }
  }
}

struct BadConfig {
  const char* field;
  Json value;
  std::vector<std::string> message;
};

TEST(Config, UnsupportedChoicesAreRefused) {
  const std::vector<BadConfig> cases = {
      {"scoring_func", "sigmoid", {"scoring_func", "sqrtsoftplus", "sigmoid"}},
      {"topk_method", "greedy", {"topk_method", "noaux_tc"}},
      {"hidden_act", "gelu", {"hidden_act", "silu", "gelu"}},
      {"num_key_value_heads", 8, {"num_key_value_heads", "8"}},
      {"attention_bias", true, {"attention_bias"}},
      {"mlp_bias", true, {"mlp_bias"}},
      {"n_group", 8, {"n_group"}},
      {"quantization_config",
       Json::Object{{"weight_block_size", list({32, 32})}},
       {"weight_block_size", "[128,128]", "[32,32]"}},
      {"compress_ratios", list({0, 4, 128}), {"compress_ratios", "4 layers"}},
      {"compress_ratios", list({0, 4, 2, 4}), {"compress_ratios[2]", "found 2"}},
      {"compress_ratios", list({0, "4", 2, 4}), {"compress_ratios[1]"}},
      {"compress_ratios", 4, {"compress_ratios"}},
      {"compress_rate_csa", 8, {"compress_rate_csa", "8"}},
      {"compress_rates",
       Json::Object{{"heavily_compressed_attention", 64}},
       {"compress_rates.heavily_compressed_attention", "128", "64"}},
      {"num_hash_layers", 5, {"num_hash_layers", "0 to 4"}},
      {"o_groups", 3, {"o_groups", "divisor"}},
      {"num_experts_per_tok", 5, {"num_experts_per_tok", "4 experts"}},
      {"qk_rope_head_dim", 65, {"qk_rope_head_dim", "65"}},
      {"qk_rope_head_dim", 15, {"qk_rope_head_dim", "even"}},
      {"partial_rotary_factor", 0.5, {"contradicts", "qk_rope_head_dim"}},
      {"index_head_dim", 24, {"index_head_dim", "power of two"}},
      {"index_head_dim", 8, {"index_head_dim", "16"}},
      {"swiglu_limit", -1, {"swiglu_limit"}},
      {"tie_word_embeddings", 1, {"tie_word_embeddings"}},
      {"eos_token_id", 96, {"eos_token_id", "95"}},
      {"eos_token_id", list({1, -1}), {"eos_token_id"}},
      {"eos_token_id", "x", {"eos_token_id"}},
      {"rope_scaling", 3, {"rope_scaling"}},
      {"rope_scaling", Json::Object{{"type", "linear"}}, {"rope_scaling.type", "yarn", "linear"}},
      {"rope_scaling", Json::Object{{"type", "yarn"}}, {"rope_scaling.factor", "missing"}},
      {"rope_scaling",
       Json::Object{{"type", "yarn"},
                    {"factor", 16},
                    {"attention_factor", 1.277},
                    {"original_max_position_embeddings", 65536}},
       {"rope_scaling.attention_factor"}},
      {"rope_scaling",
       Json::Object{{"type", "yarn"},
                    {"factor", 16},
                    {"truncate", false},
                    {"original_max_position_embeddings", 65536}},
       {"rope_scaling.truncate"}},
  };
  for (const BadConfig& bad : cases) {
    Json::Object config = config_of();
    set_field(config, bad.field, bad.value);
    expect_message(config, bad.message);
  }
}

TEST(Config, UnsupportedChoicesOfTransformersAreRefused) {
  const std::vector<BadConfig> cases = {
      {"layer_types", list({"sliding_attention"}), {"layer_types", "4 layers"}},
      {"layer_types",
       list({"full_attention", "sliding_attention", "sliding_attention", "sliding_attention"}),
       {"layer_types[0]", "full_attention"}},
      {"mlp_layer_types", list({"moe", "hash_moe", "moe", "moe"}), {"mlp_layer_types[1]"}},
      {"mlp_layer_types", list({"hash_moe", "dense", "moe", "moe"}), {"mlp_layer_types[1]"}},
      {"partial_rotary_factor", 0.3, {"partial_rotary_factor", "whole number"}},
      {"rope_theta", 500000.0, {"contradicts", "rope_theta", "rope_parameters.main"}},
      {"rope_parameters",
       Json::Object{{"main", Json::Object{{"rope_theta", 1e4}, {"rope_type", "yarn"}}},
                    {"compress", Json::Object{{"rope_theta", 1e4}}}},
       {"rope_parameters.main.rope_type", "default"}},
      {"rope_parameters",
       Json::Object{{"main", Json::Object{{"rope_theta", 1e4}}}, {"compress", Json::Object{}}},
       {"rope_parameters.compress.rope_theta", "missing"}},
  };
  for (const BadConfig& bad : cases) {
    Json::Object config = config_of(NameForm::kRuntime);
    set_field(config, bad.field, bad.value);
    expect_message(config, bad.message);
  }
}

TEST(Config, NeitherRatiosNorLayerTypesIsRefused) {
  Json::Object config = config_of(NameForm::kRuntime);
  remove_field(config, "layer_types");
  expect_message(config, {"compress_ratios or layer_types"});
}

TEST(Config, OnlyThisArchitectureIsRun) {
  for (const Json& type : {Json("deepseek_v41"), Json("llama"), Json(4)}) {
    Json::Object config = config_of();
    set_field(config, "model_type", type);
    EXPECT_FALSE(runs(Json(config))) << type.dump();
  }
  EXPECT_TRUE(runs(Json(config_of())));
}

TEST(Config, WithoutModelTypeTheArchitectureDecides) {
  Json::Object config = config_of();
  remove_field(config, "model_type");
  set_field(config, "architectures", list({"DeepseekV41ForCausalLM"}));
  EXPECT_FALSE(runs(Json(config)));
  set_field(config, "architectures", list({"DeepseekV4ForCausalLM"}));
  EXPECT_TRUE(runs(Json(config)));
}

TEST(Config, MalformedTextIsAnError) {
  for (const char* text : {"", "{", "[]", "null", "{\"a\":1,\"a\":2}", "\xff", "{\"a\":1e999}"}) {
    const auto result = parse_config(text, "config.json");
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_NE(result.error().message().find("config.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace kvasir::model::deepseek_v4
