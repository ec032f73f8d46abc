#include "plan/architectures.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

const std::array kArchitectures = std::to_array<Architecture>({
    // Plain multi-head and grouped attention.
    {"llama", all_full, heads, nullptr, {.layer_count = 32, .hidden_size = 4096, .head_count = 32}},
    {"apertus arcee aria_text baichuan biogpt bitnet bloom codegen cohere deepseek diffllama "
     "ernie4_5 ernie4_5_moe flex_olmo glm glm4 glm4_moe gpt-sw3 gpt2 gpt_neox gpt_neox_japanese "
     "gptj granite granitemoe granitemoeshared helium hunyuan hunyuan_v1_dense hunyuan_v1_moe "
     "hy_v3 hyperclovax internlm internlm2 internlm3 iquestcoder jais2 jetmoe minicpm minimax_m2 "
     "ministral3 nanochat nemotron olmo olmo2 olmoe openai-gpt opt orion persimmon phi "
     "phi4_multimodal qwen qwen3_moe seed_oss smollm3 solar_open stablelm xverse",
     all_full, heads},
    {"mllama_text_model", full_but_cross_attention, heads},
    {"gemma", all_full, heads, nullptr, {.kv_head_count = 16, .head_dim = 256}},
    {"chatglm", all_full, heads_multi_query},
    {"gpt_bigcode", all_full, heads_multi_query},
    {"falcon RefinedWeb RefinedWebModel", all_full, heads_of_falcon},
    {"mpt dbrx", all_full, heads_of_attn_config},
    {"deci nemotron-nas", all_full, heads_of_blocks},
    {"minimax_m3_vl minimax_m3_vl_text", all_full, heads_with_index},

    // Windows.
    {"mistral ministral",
     window_if_stated,
     heads,
     nullptr,
     {.layer_count = 32, .hidden_size = 4096, .head_count = 32, .kv_head_count = 8}},
    {"mixtral starcoder2 phi3 phimoe pixtral_text", window_if_stated, heads},
    {"qwen2 qwen2_moe qwen3 dots1", window_if_used, heads},
    {"gemma2 vaultgemma gpt_oss", full_every_window, heads, nullptr, {.pattern_layers = 2}},
    {"gemma3_text",
     full_every_window,
     heads,
     nullptr,
     {.layer_count = 26,
      .hidden_size = 2304,
      .head_count = 8,
      .kv_head_count = 4,
      .head_dim = 256,
      .window_tokens = 4096,
      .pattern_layers = 6}},
    {"gemma3n_text",
     full_every_window,
     heads,
     nullptr,
     {.layer_count = 35,
      .hidden_size = 2048,
      .head_count = 8,
      .kv_head_count = 2,
      .head_dim = 256,
      .window_tokens = 512,
      .pattern_layers = 5}},
    {"gemma4_text gemma4_unified_text", full_every_window, heads, nullptr, {.pattern_layers = 6}},
    {"cohere2 exaone4 exaone_moe olmo3 afmoe",
     full_every_window,
     heads,
     nullptr,
     {.pattern_layers = 4}},
    {"cwm granite_swa granitemoe_swa mellum laguna", full_every_window, heads},
    {"mimo_v2_flash mimo_v2", hybrid_layer_pattern, heads},
    {"gpt_neo", attention_layers, heads},
    {"llama4_text", full_every_chunk, heads, nullptr, {.kv_head_count = 8, .pattern_layers = 4}},

    // Latents.
    {"deepseek_v2 deepseek_v3 glm4_moe_lite glm_moe_dsa kimi_k2 axk1 minicpm3 youtu "
     "hy_v4 axk2",
     all_full, latents},
    {.model_types = "deepseek_v32",
     .mix = all_full,
     .attention = latents,
     .holds_latents_in_fp8 = true},
    {"longcat_flash", all_full, latents_twice},

    // Recurrent layers, alone or among others.
    {"qwen3_next qwen3_5_text qwen3_5_moe_text",
     full_every_recurrent,
     heads,
     gated_delta,
     {.pattern_layers = 4}},
    {"olmo_hybrid", full_every_recurrent, heads, gated_delta, {.pattern_layers = 4}},
    {"kimi_linear kimi_k3", linear_attn_lists, latents, kimi_delta},
    {"minimax minimax_text_01 minimax_m1", attn_type_list, heads, lightning},
    {"jamba", full_at_offset, heads, mamba},
    {"zamba", both_at_offset, heads, mamba},
    {"zamba2", hybrid_layer_ids, heads, mamba2},
    {"bamba granitemoehybrid", all_recurrent, heads, mamba2},
    {"falcon_h1", all_both, heads, mamba2},
    {"nemotron_h", hybrid_override_pattern, heads, mamba2},
    {"lfm2 lfm2_moe", full_attn_idxs, heads, short_conv},
    {"recurrent_gemma", block_types, heads, gated_linear_unit, {.head_dim = 256}},
    {"mamba falcon_mamba", all_recurrent, no_attention, mamba},
    {"mamba2", all_recurrent, no_attention, mamba2},

    // Its own layout, that of the engine (deepseek_v4.cc).
    {"deepseek_v4", nullptr, nullptr},
});

bool list_has(std::string_view list, std::string_view word) {
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(' ', begin), list.size());
    if (list.substr(begin, end - begin) == word) return true;
    begin = end + 1;
  }
  return false;
}

// "Qwen3MoeForCausalLM" and "qwen3_moe" alike.
std::string bare(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return letters;
}

}  // namespace

const Architecture* find_architecture(std::string_view model_type) {
  for (const Architecture& one : kArchitectures) {
    if (!model_type.empty() && list_has(one.model_types, model_type)) return &one;
  }
  return nullptr;
}

const Architecture* find_architecture_of_class(std::string_view class_name) {
  for (const std::string_view ending : {"ForCausalLM", "ForConditionalGeneration", "LMHeadModel"}) {
    if (!class_name.ends_with(ending)) continue;
    const std::string wanted = bare(class_name.substr(0, class_name.size() - ending.size()));
    for (const Architecture& one : kArchitectures) {
      for (size_t begin = 0; begin < one.model_types.size();) {
        const size_t end = std::min(one.model_types.find(' ', begin), one.model_types.size());
        const std::string name = bare(one.model_types.substr(begin, end - begin));
        if (name == wanted || name == wanted + "text") return &one;
        begin = end + 1;
      }
    }
  }
  return nullptr;
}

int64_t architecture_count() {
  int64_t count = 0;
  for (const Architecture& one : kArchitectures) {
    count += std::count(one.model_types.begin(), one.model_types.end(), ' ') + 1;
  }
  return count;
}

}  // namespace kvasir::plan
