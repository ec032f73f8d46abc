#include "plan/architectures.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

const std::array kArchitectures = std::to_array<Architecture>({
    // Plain multi-head and grouped attention.
    {"llama llava",
     all_full,
     heads,
     nullptr,
     {.layer_count = 32, .hidden_size = 4096, .head_count = 32}},
    {"doge", all_full, heads, nullptr, {.layer_count = 32, .hidden_size = 1024, .head_count = 8}},
    {"apertus arcee arctic aria_text baichuan bailing_moe biogpt bitnet bloom codegen cohere "
     "deci deepseek diffllama ernie4_5 ernie4_5_moe exaone flex_olmo glm glm4 glm4_moe "
     "glm4v_moe_text glm4v_text gpt-sw3 gpt2 gpt_neox gpt_neox_japanese gptj granite "
     "granitemoe granitemoeshared helium hunyuan hunyuan_v1_dense hunyuan_v1_moe hy_v3 "
     "hyperclovax internlm internlm2 jais2 jetmoe mimo minicpm minimax_m2 nanochat nemotron "
     "olmo olmo2 olmoe openai-gpt opt orion persimmon phi phi4_multimodal qwen seed_oss "
     "solar_open stablelm xverse Yi",
     all_full, heads},
    {"mllama_text_model", full_but_cross_attention, heads},
    {"gemma", all_full, heads, nullptr, {.kv_head_count = 16, .head_dim = 256}},
    {"chatglm", all_full, heads_of_chatglm},
    {"gpt_bigcode", all_full, heads_of_bigcode},
    {"falcon RefinedWeb RefinedWebModel", all_full, heads_of_falcon},
    {"mpt dbrx", all_full, heads_of_attn_config},
    {"nemotron-nas", all_full, heads_of_blocks},
    {"minimax_m3 minimax_m3_vl minimax_m3_vl_text",
     all_full,
     heads_with_index,
     nullptr,
     {.index_dim = 128}},

    // Windows.
    {"mistral ministral",
     window_if_stated,
     heads,
     nullptr,
     {.layer_count = 32,
      .hidden_size = 4096,
      .head_count = 32,
      .kv_head_count = 8,
      .window_tokens = 4096}},
    {"mixtral starcoder2 phi3 phi3_v phi4mm phimoe", window_if_stated, heads},
    {"minicpmv qwen2 qwen2_5_omni_text qwen2_5_vl qwen2_5_vl_text qwen2_vl qwen2_vl_text",
     window_if_used, heads},
    {"internlm3 iquestcoder ministral3", all_full, heads, nullptr, {.head_dim = 128}},
    {"smollm3", window_without_rope_if_used, heads},
    {"qwen2_moe", window_in_turn_if_used, heads},
    {"qwen3_moe qwen3_omni_moe_text qwen3_vl_moe_text", window_everywhere_if_used, heads},
    {"dots1", window_from_layer, heads},
    {"qwen3 qwen3_vl_text", window_if_used, heads, nullptr, {.head_dim = 128}},
    {"gpt_oss",
     full_every_window,
     heads,
     nullptr,
     {.kv_head_count = 8, .head_dim = 64, .window_tokens = 128, .pattern_layers = 2}},
    {"gemma2 vaultgemma",
     full_every_window,
     heads,
     nullptr,
     {.kv_head_count = 4, .head_dim = 256, .window_tokens = 4096, .pattern_layers = 2}},
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
      .context_tokens = 131072,
      .states_scaled_context = true,
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
      .pattern_layers = 5,
      .shared_layers = 15}},
    {"gemma4_text",
     full_every_window_and_last,
     heads,
     nullptr,
     {.window_tokens = 512, .global_head_dim = 512, .pattern_layers = 6}},
    {"gemma4_unified_text",
     full_every_window_and_last,
     heads,
     nullptr,
     {.window_tokens = 1024, .global_head_dim = 512, .pattern_layers = 6}},
    {"cohere2 cohere2_moe olmo3",
     full_every_window,
     heads,
     nullptr,
     {.window_tokens = 4096, .pattern_layers = 4}},
    {"exaone4 exaone_moe afmoe", full_every_window, heads, nullptr, {.pattern_layers = 4}},
    {"cwm flint granite_swa granitemoe_swa kolibri1 laguna mellum", full_every_window, heads},
    {"mimo_v2_flash mimo_v2",
     hybrid_layer_pattern,
     heads,
     nullptr,
     {.value_dim = 128, .window_head_factor = 2}},
    {"gpt_neo", attention_layers, heads},
    {"llama4_text", full_every_chunk, heads, nullptr, {.kv_head_count = 8, .pattern_layers = 4}},

    // Latents.
    {"axk1 deepseek_v2 deepseek_v3 glm4_moe_lite kimi_k2 minicpm3 youtu", all_full, latents},
    {"axk2", all_full, latents, nullptr, {.index_dim = 128}},
    {.model_types = "glm_moe_dsa",
     .mix = all_full,
     .attention = latents,
     .defaults = {.index_dim = 128},
     .keeps_cold_latents = true},
    {"hy_v4", all_full, latents, nullptr, {.index_dim = 128, .index_distance = 4}},
    {.model_types = "deepseek_v32",
     .mix = all_full,
     .attention = latents,
     .defaults = {.index_dim = 128},
     .holds_latents_in_fp8 = true,
     .keeps_cold_latents = true},
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
    {"zamba", both_at_offset, heads, mamba, {.attention_width_factor = 2}},
    {"zamba2", hybrid_layer_ids, heads, mamba2, {.attention_width_factor = 2}},
    {"bamba granitemoehybrid", all_recurrent, heads, mamba2},
    {"falcon_h1", all_both, heads, mamba2},
    {"nemotron_h", hybrid_override_pattern, heads, mamba2, {.state_groups = 8}},
    {"lfm2 lfm2_moe lfm3", full_attn_idxs, heads, short_conv},
    {"recurrent_gemma", block_types, heads, gated_linear_unit},
    {"mamba falcon_mamba", all_recurrent, no_attention, mamba},
    {"mamba2", all_recurrent, no_attention, mamba2, {.state_groups = 8}},

    // Its own layout, that of the engine (cost_deepseek_v4.cc).
    {"deepseek_v4", nullptr, nullptr},
});

void for_each_name(const Architecture& architecture, const auto& visit) {
  const std::string_view names = architecture.model_types;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(' ', begin), names.size());
    visit(names.substr(begin, end - begin));
    begin = end + 1;
  }
}

// The first name that meets a condition.
KnownArchitecture find_by_name(const auto& condition) {
  KnownArchitecture found;
  for (const Architecture& one : kArchitectures) {
    for_each_name(one, [&](std::string_view name) {
      if (found.row == nullptr && condition(name)) found = {&one, name};
    });
  }
  return found;
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

KnownArchitecture find_architecture(std::string_view model_type) {
  return find_by_name([&](std::string_view name) { return name == model_type; });
}

KnownArchitecture find_architecture_of_class(std::string_view class_name) {
  for (const std::string_view ending : {"ForCausalLM", "ForConditionalGeneration", "LMHeadModel",
                                        "SparseForCausalLM", "SparseForConditionalGeneration"}) {
    if (!class_name.ends_with(ending)) continue;
    const std::string wanted = bare(class_name.substr(0, class_name.size() - ending.size()));
    const KnownArchitecture found = find_by_name([&](std::string_view name) {
      const std::string letters = bare(name);
      return letters == wanted || letters == wanted + "text";
    });
    if (found.row != nullptr) return found;
  }
  return {};
}

std::vector<std::string> known_architectures() {
  std::vector<std::string> names;
  for (const Architecture& one : kArchitectures) {
    for_each_name(one, [&](std::string_view name) { names.emplace_back(name); });
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace kvasir::plan
