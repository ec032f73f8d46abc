// Decoders as GGUF files: what a converter makes of the small golden models gives the logits of
// these, the same bits where the same numbers are summed in the same order.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "converted_gguf.h"
#include "engine_driver.h"
#include "golden_checkpoint.h"
#include "kvasir/plan.h"
#include "planned_run.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::ConversionForm;
using testing::first_difference;
using testing::new_session;
using testing::open_engine;
using testing::StoredCheckpoint;

constexpr int64_t kVocab = 96;

struct Case {
  const char* name;
  const char* golden;
  // Fields of its config that differ, as JSON.
  std::vector<std::pair<const char*, const char*>> fields = {};
  ConversionForm form = {};
  bool has_same_bits = true;
  int only_layer = -1;  // the one that is kept; -1: all
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

constexpr const char* kLongrope =
    R"({"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 128,
        "short_factor": [1.0, 1.1, 1.3, 1.7], "long_factor": [1.0, 1.5, 4.0, 8.0]})";
constexpr const char* kYarn =
    R"({"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "attention_factor": 1.25,
        "original_max_position_embeddings": 64})";
constexpr ConversionForm kFused = {.fuses_heads = true};

// Rows of heads that are turned are in another order where has_same_bits is false, or numbers are
// float32 that were not.
const std::vector<Case>& cases() {
  static const std::vector<Case> cases = {
      {"llama", "llama", {}, {}, false},
      {"llama_fused", "llama", {}, kFused, false},
      {"llama_biases_and_divisors", "llama_3", {}, {}, false},
      {"llama_fused_biases", "llama_3", {}, kFused, false},
      {"llama_linear", "llama_linear", {}, {}, false},
      {"llama_yarn", "llama_yarn", {}, {}, false},
      {"llama_yarn_with_a_factor", "llama_yarn", {{"rope_parameters", kYarn}}, {}, false},
      {"mistral", "mistral", {{"sliding_window", "null"}}, {}, false},
      {"mixtral", "mixtral", {}, {}, false},
      {"smollm3", "smollm3", {}, {}, false},
      {"granite", "granite", {}, {}, false},
      {"qwen2", "qwen2"},
      {"qwen2_fused", "qwen2", {}, kFused},
      {"qwen3", "qwen3"},
      {"gemma2", "gemma2", {{"query_pre_attn_scalar", "12"}}},
      {"qwen2_moe", "qwen2_moe", {{"mlp_only_layers", "[]"}}, {}, true, 0},
      {"qwen2_moe_one_width",
       "qwen2_moe",
       {{"mlp_only_layers", "[]"}, {"intermediate_size", "36"}},
       {.left_out = "expert_feed_forward_length"},
       true,
       0},
      {"qwen3_moe", "qwen3_moe", {{"decoder_sparse_step", "1"}}, {}, true, 1},
      {"gemma3", "gemma3_text", {{"query_pre_attn_scalar", "12"}, {"layer_types", "null"}}},
      {"gemma3_with_a_pattern",
       "gemma3_text",
       {{"query_pre_attn_scalar", "12"}},
       {.window_pattern = 2}},
      {"phi3", "phi3"},
      {"phi3_without_window", "phi3", {{"sliding_window", "null"}}},
      {"phi3_long", "phi3", {{"rope_parameters", kLongrope}}, {}, false},
      {"phi3_short",
       "phi3",
       {{"rope_parameters", kLongrope}, {"max_position_embeddings", "128"}},
       {},
       false},
      {"starcoder2", "starcoder2", {{"sliding_window", "null"}}},
      {"gpt2", "gpt2"},
      {"starcoder", "gpt_bigcode"},
      {"falcon_one_key_head", "falcon_mqa", {{"num_kv_heads", "1"}}},
      {"falcon_grouped", "falcon_gqa"},
      {"gpt_oss", "gpt_oss"},
      {"olmo2", "olmo2"},
      {"olmo3", "olmo3", {}, {}, false},
      {"glm4_moe", "glm4_moe"},
      {"glm4_moe_draft_left_out", "glm4_moe", {}, {.counts_drafts = true}},
      {"deepseek_v2", "deepseek_v2"},
      {"deepseek_v2_whole_kv_b", "deepseek_v2", {}, {.splits_latents = false}},
      {"deepseek_v2_groups", "deepseek_v2_groups", {}, {}, false},
      {"deepseek_v3", "deepseek_v3", {}, {}, false},
      {"deepseek_v3_sums_left", "deepseek_v3", {{"norm_topk_prob", "false"}}, {}, false},
      {"deepseek_v3_whole_kv_b", "deepseek_v3", {}, {.splits_latents = false}, false},
  };
  return cases;
}

void keep_one_layer(StoredCheckpoint& checkpoint, int layer) {
  const std::string first = "model.layers.0.";
  const std::string kept = "model.layers." + std::to_string(layer) + ".";
  std::erase_if(checkpoint.tensors, [&](const auto& tensor) {
    return tensor.name.starts_with("model.layers.") && !tensor.name.starts_with(kept);
  });
  for (auto& tensor : checkpoint.tensors) {
    if (tensor.name.starts_with(kept)) tensor.name.replace(0, kept.size(), first);
  }
  checkpoint.set("num_hidden_layers", "1");
}

StoredCheckpoint checkpoint_of(const Case& one) {
  StoredCheckpoint checkpoint = testing::read_golden(one.golden);
  for (const auto& [field, json] : one.fields) checkpoint.set(field, json);
  if (one.only_layer >= 0) keep_one_layer(checkpoint, one.only_layer);
  return checkpoint;
}

std::vector<float> logits_of(const std::string& path, const char* kv) {
  Engine engine =
      open_engine({.model_path = path, .kv = kv, .thread_count = 2, .needs_text = false});
  Session session = new_session(engine);
  return append_all(session, testing::random_tokens(300, kVocab, 1));
}

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(double{a[i]} - b[i]));
  return worst;
}

// Bytes of the cache of a sequence.
int64_t planned_bytes(const std::string& path) {
  const auto model = plan::open_model(path);
  const auto cost = plan::cache_cost(*model, {.precision = "f32", .page_tokens = 128});
  return plan::bytes_of(cost->ram, {.context_tokens = 300});
}

void expect_run_as_planned(const std::string& path) {
  const auto model = plan::open_model(path);
  ASSERT_TRUE(model.ok()) << model.error().message();
  const Engine engine = open_engine({.model_path = path, .kv = "f32", .needs_text = false});
  testing::expect_run_as_planned(engine, *model, {.precision = "f32"}, 0);
}

class DecoderGguf : public ::testing::TestWithParam<Case> {};

TEST_P(DecoderGguf, HasTheLogitsOfTheModelThatWasConverted) {
  const StoredCheckpoint checkpoint = checkpoint_of(GetParam());
  testing::TempDirectory directory;
  testing::write_checkpoint(directory.path(), checkpoint.config, checkpoint.tensors);
  const std::string file = directory.file("model.gguf");
  testing::write_file(file, converted_gguf(checkpoint, GetParam().form).file());
  const std::vector<float> wanted = logits_of(directory.path(), "f32");
  const std::vector<float> found = logits_of(file, "f32");
  if (GetParam().has_same_bits) {
    EXPECT_EQ(first_difference(found, wanted, kVocab), -1) << worst_difference(found, wanted);
  } else {
    EXPECT_LE(worst_difference(found, wanted), 2e-5);
  }
  EXPECT_EQ(planned_bytes(file), planned_bytes(directory.path()));
  for (const std::string& path : {file, directory.path()}) expect_run_as_planned(path);
}

std::string refusal(const testing::GgufMaker& file) {
  testing::TempDirectory directory;
  testing::write_file(directory.file("model.gguf"), file.file());
  const auto engine =
      Engine::open({.model_path = directory.file("model.gguf"), .needs_text = false});
  return engine.ok() ? std::string() : engine.error().message();
}

TEST(DecoderGgufKeys, FactorsOfFrequenciesAreNumbersAboveZero) {
  for (const float bad : {0.0F, -1.0F, std::nanf("")}) {
    const std::array<float, 4> factors = {1, 2, bad, 8};
    testing::GgufMaker file = converted_gguf(testing::read_golden("llama"));
    file.tensor("rope_freqs.weight", std::array<int64_t, 1>{4}, 0,
                std::as_bytes(std::span(factors)));
    EXPECT_NE(refusal(file), "") << bad;
  }
  testing::GgufMaker file = converted_gguf(testing::read_golden("phi3"));
  EXPECT_NE(refusal(file.real("phi3.rope.scaling.attn_factor", -1)).find("attn_factor"),
            std::string::npos);
}

TEST(DecoderGgufKeys, WhatIsNotComputedIsRefusedByName) {
  const StoredCheckpoint checkpoint = testing::read_golden("llama");
  EXPECT_EQ(refusal(converted_gguf(checkpoint)), "");
  for (const std::string key :
       {"attention.clamp_kqv", "attention.max_alibi_bias", "attention.temperature_scale"}) {
    EXPECT_NE(refusal(converted_gguf(checkpoint).real("llama." + key, 8)).find(key),
              std::string::npos);
    EXPECT_EQ(refusal(converted_gguf(checkpoint).real("llama." + key, 0)), "");
  }
  EXPECT_NE(refusal(converted_gguf(checkpoint).text("llama.rope.scaling.type", "longrope"))
                .find("rope.scaling.type"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, DecoderGguf, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace kvasir
