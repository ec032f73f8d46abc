#include <algorithm>
#include <array>

#include "plan/architectures.h"

namespace kvasir::plan {
namespace {

// A ByType has the defaults of one model_type, or of several that share them. 0: there is none, or
// it follows from other fields.
struct ByType {
  std::string_view model_types;  // separated by spaces
  int64_t context_tokens = 0;
  int64_t kv_head_count = 0;
  int64_t head_dim = 0;
};

// As tools/reference_defaults.py prints them. Left out is what says nothing: KV heads and head dims
// of latents.
constexpr std::array kByType = std::to_array<ByType>({
    {"afmoe", 16384, 0, 128},
    {"apertus", 65536},
    {"arcee", 4096},
    {"aria_text", 2048},
    {"axk1", 32768},
    {"axk2", 131072},
    {"bamba", 262144, 8},
    {"biogpt", 1024},
    {"bitnet", 2048, 5},
    {"codegen", 2048},
    {"cohere", 8192},
    {"cohere2", 8192},
    {"cohere2_moe", 8192, 0, 128},
    {"cwm", 131072, 8, 128},
    {"dbrx", 2048, 1},
    {"deepseek_v2", 2048},
    {"deepseek_v3", 4096},
    {"deepseek_v32", 163840},
    {"deepseek_v4", 1048576},
    {"diffllama", 2048},
    {"doge", 2048},
    {"dots1", 2048, 32},
    {"ernie4_5", 131072, 2, 128},
    {"ernie4_5_moe", 131072, 4},
    {"exaone", 4096, 8},
    {"exaone4", 2048, 32},
    {"exaone_moe", 2048, 32},
    {"falcon RefinedWeb RefinedWebModel", 2048},
    {"falcon_h1", 8192, 8},
    {"flex_olmo", 4096},
    {"flint", 262144, 4, 128},
    {"gemma", 8192, 16, 256},
    {"gemma2", 8192, 4, 256},
    {"gemma3_text", 131072, 4, 256},
    {"gemma3n_text", 32768, 2, 256},
    {"gemma4_text", 131072, 4, 256},
    {"gemma4_unified_text", 262144, 4, 256},
    {"glm", 131072, 2, 128},
    {"glm4", 131072, 2, 128},
    {"glm4_moe", 131072, 8},
    {"glm4_moe_lite", 202752},
    {"glm4v_moe_text", 65536, 8},
    {"glm4v_text", 32768, 2},
    {"glm_moe_dsa", 202752},
    {"gpt-sw3", 1024},
    {"gpt2", 1024},
    {"gpt_bigcode", 1024},
    {"gpt_neo", 2048},
    {"gpt_neox", 2048},
    {"gpt_neox_japanese", 2048},
    {"gpt_oss", 131072, 8, 64},
    {"gptj", 2048},
    {"granite", 2048},
    {"granite_swa", 8192, 4},
    {"granitemoe", 2048},
    {"granitemoe_swa", 2048},
    {"granitemoehybrid", 2048},
    {"granitemoeshared", 2048},
    {"helium", 4096, 20, 128},
    {"hunyuan_v1_dense", 2048},
    {"hunyuan_v1_moe", 2048},
    {"hy_v3", 131072, 8, 128},
    {"hy_v4", 262144},
    {"hyperclovax", 2048},
    {"internlm3", 32768, 2, 128},
    {"iquestcoder", 131072, 8, 128},
    {"jais2", 8192},
    {"jamba", 262144, 8},
    {"jetmoe", 4096, 16, 128},
    {"kimi_linear", 1048576},
    {"kolibri1", 262144, 4, 128},
    {"laguna", 131072, 8, 128},
    {"lfm2", 128000, 8},
    {"lfm2_moe", 128000, 8},
    {"lfm3", 128000, 4, 128},
    {"llama llava", 2048},
    {"llama4_text", 131072, 8, 128},
    {"longcat_flash", 131072},
    {"mellum", 131072, 4, 128},
    {"mimo_v2_flash mimo_v2", 131072, 4, 192},
    {"minicpm3", 32768},
    {"minimax", 131072, 8},
    {"minimax_m2", 196608, 8, 128},
    {"minimax_m3_vl_text minimax_m3 minimax_m3_vl", 524288, 4, 128},
    {"ministral", 131072, 8},
    {"ministral3", 262144, 8, 128},
    {"mistral", 131072, 8},
    {"mixtral", 131072, 8},
    {"mllama_text_model", 131072, 8},
    {"mpt", 2048},
    {"nanochat", 2048},
    {"nemotron", 4096},
    {"nemotron_h", 4096, 8, 128},
    {"olmo", 2048},
    {"olmo2", 2048},
    {"olmo3", 2048},
    {"olmo_hybrid", 65536},
    {"olmoe", 4096},
    {"openai-gpt", 512},
    {"opt", 2048},
    {"persimmon", 16384},
    {"phi", 2048},
    {"phi3", 4096},
    {"phi4_multimodal", 131072, 8},
    {"phimoe", 131072, 8},
    {"qwen2", 32768, 32},
    {"qwen2_5_omni_text", 32768, 4},
    {"qwen2_5_vl_text qwen2_5_vl", 32768, 8},
    {"qwen2_moe", 32768, 16},
    {"qwen2_vl_text qwen2_vl", 32768, 8},
    {"qwen3", 32768, 32, 128},
    {"qwen3_5_moe_text", 32768, 2, 256},
    {"qwen3_5_text", 32768, 4, 256},
    {"qwen3_moe", 32768, 4},
    {"qwen3_next", 32768, 2, 256},
    {"qwen3_omni_moe_text", 32768, 4},
    {"qwen3_vl_moe_text", 128000, 16},
    {"qwen3_vl_text", 128000, 32, 128},
    {"seed_oss", 524288, 8, 128},
    {"smollm3", 32768, 4},
    {"solar_open", 131072, 8, 128},
    {"stablelm", 4096, 32},
    {"starcoder2", 4096, 2},
    {"vaultgemma", 8192, 4, 256},
    {"youtu", 131072},
    {"zamba", 4096, 16},
    {"zamba2", 4096},
});

bool names(std::string_view list, std::string_view name) {
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(' ', begin), list.size());
    if (list.substr(begin, end - begin) == name) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

Defaults defaults_of(const Architecture& architecture, std::string_view model_type) {
  Defaults defaults = architecture.defaults;
  for (const ByType& row : kByType) {
    if (!names(row.model_types, model_type)) continue;
    if (row.context_tokens != 0) defaults.context_tokens = row.context_tokens;
    if (row.kv_head_count != 0) defaults.kv_head_count = row.kv_head_count;
    if (row.head_dim != 0) defaults.head_dim = row.head_dim;
  }
  return defaults;
}

}  // namespace kvasir::plan
