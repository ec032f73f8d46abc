#include "model/decoder/gguf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"
#include "checkpoint/config_fields.h"
#include "model/decoder/config_reading.h"
#include "model/decoder/gguf_keys.h"
#include "model/decoder/gguf_rope.h"

namespace kvasir::model::decoder {
namespace {

// The converter reorders each head's query and key rows of these, so that the halves of a pair lie
// side by side.
enum class Rows : uint8_t { kAsStored, kPairsAdjacent };

struct GgufArchitecture {
  std::string_view name;
  std::string_view model_type;
  Rows rows = Rows::kAsStored;
};

constexpr GgufArchitecture kArchitectures[] = {
    {"llama", "llama", Rows::kPairsAdjacent},
    {"qwen2", "qwen2"},
    {"qwen2moe", "qwen2_moe"},
    {"qwen3", "qwen3"},
    {"qwen3moe", "qwen3_moe"},
    {"smollm3", "smollm3", Rows::kPairsAdjacent},
    {"gemma", "gemma"},
    {"gemma2", "gemma2"},
    {"gemma3", "gemma3_text"},
    {"phi3", "phi3"},
    {"granite", "granite", Rows::kPairsAdjacent},
    {"starcoder", "gpt_bigcode"},
    {"starcoder2", "starcoder2"},
    {"gpt2", "gpt2"},
    {"falcon", "falcon"},
    {"gpt-oss", "gpt_oss"},
    {"olmo2", "olmo2"},
    {"glm4moe", "glm4_moe"},
    {"deepseek2", "deepseek_v3"},
    {"deepseek32", "deepseek_v32"},
    {"glm-dsa", "glm_moe_dsa"},
};

const GgufArchitecture* find_architecture(const Json& keys) {
  const Json* name = keys.find("general.architecture");
  if (name == nullptr || name->as_string() == nullptr) return nullptr;
  for (const GgufArchitecture& known : kArchitectures) {
    if (known.name == *name->as_string()) return &known;
  }
  return nullptr;
}

struct Renamed {
  std::string_view from;
  std::string_view to;
};

// Behind "ARCHITECTURE.". Several may go to one name; no file has more than one of them.
constexpr Renamed kKeys[] = {
    {"block_count", "num_hidden_layers"},
    {"context_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {"feed_forward_length", "intermediate_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads"},
    {"attention.key_length", "head_dim"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
    {"attention.layer_norm_epsilon", "norm_epsilon"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"attention.scale", "attention_multiplier"},
    {"attn_logit_softcapping", "attn_logit_softcapping"},
    {"final_logit_softcapping", "final_logit_softcapping"},
    {"embedding_scale", "embedding_multiplier"},
    {"residual_scale", "residual_multiplier"},
    {"logit_scale", "logits_scaling"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size"},
    {"expert_shared_count", "n_shared_experts"},
    {"expert_weights_scale", "routed_scaling_factor"},
    {"expert_weights_norm", "norm_topk_prob"},
    {"expert_group_count", "n_group"},
    {"expert_group_used_count", "topk_group"},
    {"leading_dense_block_count", "first_k_dense_replace"},
    {"attention.q_lora_rank", "q_lora_rank"},
    {"attention.kv_lora_rank", "kv_lora_rank"},
    {"attention.indexer.head_count", "index_n_heads"},
    {"attention.indexer.key_length", "index_head_dim"},
    {"attention.indexer.top_k", "index_topk"},
};

// Translates one file. Fields that are set later win.
class Translation {
 public:
  Translation(const Json& all, const GgufArchitecture& architecture)
      : all_(all), keys_(all, architecture.name), architecture_(architecture) {}

  Json config() {
    set("model_type", std::string(architecture_.model_type));
    for (const Renamed& names : kKeys) copy(names);
    set_vocabulary();
    set_rope();
    set_layers();
    set_windows();
    set_latent();
    set_indexers();
    set_experts();
    set_gpt2_names();
    set_falcon_names();
    // The tensors say whether there is an output matrix of its own.
    set("tie_word_embeddings", true);
    return Json(std::move(fields_));
  }

 private:
  void set(std::string_view name, Json value) {
    std::erase_if(fields_, [&](const auto& field) { return field.first == name; });
    fields_.emplace_back(std::string(name), std::move(value));
  }
  void set_absent(std::string_view name, Json value) {
    const bool is_there = std::any_of(fields_.begin(), fields_.end(),
                                      [&](const auto& field) { return field.first == name; });
    if (!is_there) set(name, std::move(value));
  }
  void copy(const Renamed& names) {
    if (const Json* value = keys_.find(names.from)) set(names.to, *value);
  }

  void set_vocabulary() {
    const Json* tokens = all_.find("tokenizer.ggml.tokens");
    const bool is_list = tokens != nullptr && tokens->as_array() != nullptr;
    const auto listed = is_list ? std::ssize(*tokens->as_array()) : int64_t{0};
    set("vocab_size", keys_.integer("vocab_size", listed));
    for (const auto& [from, to] : {std::pair{"tokenizer.ggml.bos_token_id", "bos_token_id"},
                                   std::pair{"tokenizer.ggml.eos_token_id", "eos_token_id"}}) {
      if (const Json* id = all_.find(from)) set(to, *id);
    }
  }

  Json rope_of(double theta, bool is_scaled) const {
    // OpenAI's code does not round.
    const bool truncates = architecture_.model_type != "gpt_oss";
    return gguf_rope(keys_, theta, truncates, is_scaled);
  }

  void set_rope() {
    const double theta = keys_.real("rope.freq_base", 10000);
    const bool is_gemma = architecture_.model_type == "gemma3_text";
    if (is_gemma || is_olmo3()) {
      const double windowed = keys_.real("rope.freq_base_swa", is_gemma ? 10000 : theta);
      set("rope_parameters", Json::Object{{"full_attention", rope_of(theta, true)},
                                          {"sliding_attention", rope_of(windowed, false)}});
      return;
    }
    set("rope_parameters", rope_of(theta, true));
    const int64_t head_dim = keys_.integer("attention.key_length", head_dim_of_heads());
    const int64_t turned = keys_.integer("rope.dimension_count", head_dim);
    if (head_dim > 0 && !keys_.has("attention.kv_lora_rank")) {
      // The part is multiplied and rounded down again.
      const double rounded_up = static_cast<double>(turned) + 0.5;
      set("partial_rotary_factor", std::min(1.0, rounded_up / static_cast<double>(head_dim)));
    }
  }

  // It has the name of Olmo 2.
  bool is_olmo3() const {
    return architecture_.model_type == "olmo2" && keys_.integer("attention.sliding_window", 0) > 0;
  }

  int64_t head_dim_of_heads() const {
    const int64_t heads = keys_.integer("attention.head_count", 0);
    return heads > 0 ? keys_.integer("embedding_length", 0) / heads : 0;
  }

  void set_layers() {
    const std::string_view type = architecture_.model_type;
    if (!keys_.has("attention.key_length")) set("head_dim", head_dim_of_heads());
    if (type == "gemma2" || type == "gemma3_text") {
      // The scale is that of a head, but for the largest models.
      const int64_t layers = keys_.integer("block_count", 0);
      const bool is_wide =
          (type == "gemma2" && layers == 46) || (type == "gemma3_text" && layers == 62);
      set("query_pre_attn_scalar",
          is_wide ? head_dim_of_heads()
                  : keys_.integer("attention.key_length", head_dim_of_heads()));
    }
    if (type == "smollm3") set("no_rope_layer_interval", 4);
    if (type == "granite" && !keys_.has("attention.scale")) {
      set("attention_multiplier", 1 / std::sqrt(static_cast<double>(head_dim_of_heads())));
    }
  }

  // Qwen's makers use no window, whatever their configs state. Where the file does not say which
  // layers have it, the architecture does.
  void set_windows() {
    const std::string_view type = architecture_.model_type;
    const int64_t window = keys_.integer("attention.sliding_window", 0);
    if (type.starts_with("qwen") || window == 0) return set("sliding_window", Json());
    set("sliding_window", window);
    if (type == "llama") set("model_type", "mistral");
    if (is_olmo3()) set("model_type", "olmo3");
    const Json* pattern = keys_.find("attention.sliding_window_pattern");
    const bool is_list = pattern != nullptr && pattern->as_array() != nullptr;
    const int64_t period = keys_.integer("attention.sliding_window_pattern", 0);
    if (!is_list && period <= 0) return;
    Json::Array types;
    const int64_t layers = std::min(keys_.integer("block_count", 0), kLayersMax);
    for (int64_t layer = 0; layer < layers; ++layer) {
      const bool is_windowed =
          is_list ? is_set(*pattern->as_array(), layer) : layer % period < period - 1;
      types.emplace_back(is_windowed ? "sliding_attention" : "full_attention");
    }
    set("layer_types", Json(std::move(types)));
  }

  static bool is_set(const Json::Array& flags, int64_t index) {
    if (index >= std::ssize(flags)) return false;
    const Json& flag = flags[static_cast<size_t>(index)];
    if (flag.as_bool() != nullptr) return *flag.as_bool();
    return flag.as_integer() != nullptr && *flag.as_integer() != 0;
  }

  void set_latent() {
    if (!keys_.has("attention.kv_lora_rank")) return;
    const int64_t turned = keys_.integer("rope.dimension_count", 0);
    // Older files give the heads' widths under the names of plain attention.
    const bool has_own = keys_.has("attention.key_length_mla");
    const int64_t key_dim =
        keys_.integer(has_own ? "attention.key_length_mla" : "attention.key_length", 0);
    set("qk_rope_head_dim", turned);
    set("qk_nope_head_dim", key_dim - turned);
    set("v_head_dim",
        keys_.integer(has_own ? "attention.value_length_mla" : "attention.value_length", 0));
    if (!keys_.has("attention.q_lora_rank") || keys_.integer("attention.q_lora_rank", 0) == 0) {
      set("q_lora_rank", Json());
    }
    // What no such file means by leaving a key out.
    set_absent("routed_scaling_factor", 1);
    set_absent("n_group", 1);
    set_absent("topk_group", 1);
    set_absent("norm_topk_prob", false);
    set_gating();
  }

  void set_gating() {
    constexpr int64_t kSoftmax = 1;
    constexpr int64_t kSigmoid = 2;
    const int64_t absent = architecture_.name == "glm-dsa" ? kSigmoid : kSoftmax;
    const int64_t stated = keys_.integer("expert_gating_func", 0);
    const int64_t gating = stated == 0 ? absent : stated;
    if (gating == kSigmoid) return;
    if (architecture_.name != "deepseek2" || gating != kSoftmax) {
      set("scoring_func", fmt::format("expert_gating_func {}", gating));
      return;
    }
    // Files of the second version have no gating function, or that one.
    set("model_type", "deepseek_v2");
    set("topk_method",
        keys_.integer("expert_group_count", 1) > 1 ? "group_limited_greedy" : "greedy");
  }

  // A file that does not say which layers share is of a model where none does, unless it is as long
  // as GLM-5.2, whose pattern that is.
  void set_indexers() {
    if (architecture_.name != "glm-dsa") return;
    constexpr int64_t kSharingContext = int64_t{1} << 20;
    const Json* full = keys_.find("attention.indexer.types");
    if (full == nullptr && keys_.integer("context_length", 0) >= kSharingContext) {
      set("index_topk_freq", 4);
      set("index_skip_topk_offset", 3);
    }
    if (full == nullptr || full->as_array() == nullptr) return;
    Json::Array types;
    for (const Json& one : *full->as_array()) {
      const bool is_full = one.as_bool() != nullptr      ? *one.as_bool()
                           : one.as_integer() != nullptr ? *one.as_integer() != 0
                                                         : false;
      types.emplace_back(is_full ? "full" : "shared");
    }
    // The list leaves out layers of a draft model that are counted.
    const int64_t drafts =
        std::clamp<int64_t>(keys_.integer("nextn_predict_layers", 0), 0, kLayersMax);
    types.insert(types.end(), static_cast<size_t>(drafts), "shared");
    set("indexer_types", Json(std::move(types)));
  }

  void set_experts() {
    const std::string_view type = architecture_.model_type;
    if (type == "llama" && keys_.integer("expert_count", 0) > 0) set("model_type", "mixtral");
    // No file says that weights are divided by their sum; all models of this kind do it.
    if (type == "qwen3_moe" && !keys_.has("expert_weights_norm")) set("norm_topk_prob", true);
    if (type == "qwen2_moe") set_widths_of_experts();
  }

  // The first files of Qwen2-MoE state one width, of all experts of a token together.
  void set_widths_of_experts() {
    const int64_t whole = keys_.integer("feed_forward_length", 0);
    const int64_t used = std::max<int64_t>(1, keys_.integer("expert_used_count", 1));
    if (!keys_.has("expert_feed_forward_length")) set("moe_intermediate_size", whole / used);
    if (!keys_.has("expert_shared_feed_forward_length")) {
      set("shared_expert_intermediate_size", whole);
    }
  }

  void set_gpt2_names() {
    if (architecture_.model_type != "gpt2" && architecture_.model_type != "gpt_bigcode") return;
    set("n_embd", keys_.integer("embedding_length", 0));
    set("n_layer", keys_.integer("block_count", 0));
    set("n_head", keys_.integer("attention.head_count", 0));
    set("n_positions", keys_.integer("context_length", 0));
    set("n_inner", keys_.integer("feed_forward_length", 0));
    set("multi_query", keys_.integer("attention.head_count_kv", 1) == 1);
  }

  // The tensors say whether the two branches have a norm each.
  void set_falcon_names() {
    if (architecture_.model_type != "falcon") return;
    set("new_decoder_architecture", true);
    set("num_kv_heads", keys_.integer("attention.head_count_kv", 1));
    set("num_ln_in_parallel_attn", 1);
    if (const Json* width = keys_.find("feed_forward_length")) set("ffn_hidden_size", *width);
  }

  const Json& all_;
  const GgufKeys keys_;
  const GgufArchitecture& architecture_;
  Json::Object fields_;
};

// What would change all logits, and is not computed.
Status check_keys(const GgufKeys& keys, std::string_view where) {
  for (const std::string_view name :
       {"attention.temperature_scale", "attention.max_alibi_bias", "attention.clamp_kqv"}) {
    if (keys.real(name, 0) == 0) continue;
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "key asks for what is not supported",
                 .where = fmt::format("{}: {}", where, name),
                 .expected = "0, or no such key",
                 .found = fmt::format("{}", keys.real(name, 0))};
  }
  return ok_status();
}

}  // namespace

bool runs_gguf(const Json& keys) { return find_architecture(keys) != nullptr; }

Result<Config> read_gguf_config(const Json& all, std::string_view where, int64_t context_tokens) {
  const GgufArchitecture* architecture = find_architecture(all);
  KVASIR_CHECK(architecture != nullptr, "keys of this family");
  const GgufKeys keys(all, architecture->name);
  KVASIR_RETURN_IF_ERROR(check_keys(keys, where));
  KVASIR_ASSIGN_OR_RETURN(Config config,
                          read_config(Translation(all, *architecture).config(), where));
  KVASIR_RETURN_IF_ERROR(read_gguf_longrope(keys, where, context_tokens, config));
  if (architecture->rows == Rows::kPairsAdjacent) config.rope_pairs = ops::RopePairs::kAdjacent;
  config.norm_adds_one = false;  // the converter added it
  config.is_gguf = true;
  config.draft_layers_max =
      std::clamp<int64_t>(keys.integer("nextn_predict_layers", 0), 0, config.layer_count - 1);
  return config;
}

}  // namespace kvasir::model::decoder
