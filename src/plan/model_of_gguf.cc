// A GGUF file's keys, put into the words of a config.json, so that both are read by one reader.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "checkpoint/gguf.h"
#include "model/deepseek_v4/config.h"
#include "plan/model_of_gguf.h"
#include "plan/model_of_json.h"
#include "plan/own_cache.h"

namespace kvasir::plan {
namespace {

struct Renamed {
  std::string_view from;
  std::string_view to;
};

// general.architecture, and the model_type whose reader fits. Where the file always states its KV
// heads, plain attention is plain attention.
constexpr std::array kArchitectures = std::to_array<Renamed>({
    {"llama", "llama"},
    {"afmoe", "afmoe"},
    {"apertus", "apertus"},
    {"arcee", "arcee"},
    {"baichuan", "llama"},
    {"bloom", "llama"},
    {"chatglm", "llama"},
    {"cohere2", "cohere2"},
    {"command-r", "cohere"},
    {"deci", "llama"},
    {"deepseek", "deepseek"},
    {"deepseek2", "deepseek_v3"},
    {"deepseek32", "deepseek_v32"},
    {"deepseek4", "deepseek_v4"},
    {"dots1", "dots1"},
    {"ernie4_5", "ernie4_5"},
    {"ernie4_5-moe", "ernie4_5_moe"},
    {"exaone4", "exaone4"},
    {"falcon", "llama"},
    {"falcon-h1", "falcon_h1"},
    {"gemma", "gemma"},
    {"gemma2", "gemma2"},
    {"gemma3", "gemma3_text"},
    {"gemma3n", "gemma3n_text"},
    {"gemma4", "gemma4_text"},
    {"glm-dsa", "glm_moe_dsa"},
    {"glm4", "glm4"},
    {"glm4moe", "glm4_moe"},
    {"gpt-oss", "gpt_oss"},
    {"gpt2", "llama"},
    {"gptneox", "llama"},
    {"granite", "granite"},
    {"granitehybrid", "granitemoehybrid"},
    {"granitemoe", "granitemoe"},
    {"hunyuan-dense", "hunyuan_v1_dense"},
    {"hunyuan-moe", "hunyuan_v1_moe"},
    {"internlm2", "internlm2"},
    {"jamba", "jamba"},
    {"kimi-linear", "kimi_linear"},
    {"lfm2", "lfm2"},
    {"lfm2moe", "lfm2_moe"},
    {"llama4", "llama4_text"},
    {"mamba", "mamba"},
    {"mamba2", "mamba2"},
    {"minicpm", "minicpm"},
    {"minicpm3", "minicpm3"},
    {"minimax-m2", "minimax_m2"},
    {"mistral3", "ministral3"},
    {"mpt", "llama"},
    {"nemotron", "nemotron"},
    {"nemotron_h", "nemotron_h"},
    {"nemotron_h_moe", "nemotron_h"},
    {"olmo", "olmo"},
    {"olmo2", "olmo2"},
    {"olmoe", "olmoe"},
    {"openelm", "llama"},
    {"phi2", "phi"},
    {"phi3", "phi3"},
    {"plamo", "llama"},
    {"qwen2", "qwen2"},
    {"qwen2moe", "qwen2_moe"},
    {"qwen2vl", "qwen2"},
    {"qwen3", "qwen3"},
    {"qwen35", "qwen3_5_text"},
    {"qwen35moe", "qwen3_5_moe_text"},
    {"qwen3moe", "qwen3_moe"},
    {"qwen3next", "qwen3_next"},
    {"qwen3vl", "qwen3"},
    {"qwen3vlmoe", "qwen3_moe"},
    {"seed_oss", "seed_oss"},
    {"smollm3", "smollm3"},
    {"stablelm", "stablelm"},
    {"starcoder", "llama"},
    {"starcoder2", "starcoder2"},
    {"xverse", "xverse"},
});

// Numbers and lists of numbers, behind "ARCHITECTURE.".
constexpr std::array kKeys = std::to_array<Renamed>({
    {"context_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count_kv", "num_key_value_heads"},
    {"attention.key_length", "head_dim"},
    {"attention.value_length", "v_head_dim"},
    {"attention.key_length_swa", "swa_head_dim"},
    {"attention.value_length_swa", "swa_v_head_dim"},
    {"attention.kv_lora_rank", "kv_lora_rank"},
    {"attention.q_lora_rank", "q_lora_rank"},
    {"attention.sliding_window", "sliding_window"},
    {"attention.sliding_window_pattern", "sliding_window_pattern"},
    {"attention.shared_kv_layers", "num_kv_shared_layers"},
    {"attention.chunk_size", "attention_chunk_size"},
    {"attention.compress_ratios", "compress_ratios"},
    {"attention.indexer.head_count", "index_n_heads"},
    {"attention.indexer.key_length", "index_head_dim"},
    {"attention.indexer.top_k", "index_topk"},
    {"full_attention_interval", "full_attention_interval"},
    {"rope.dimension_count", "qk_rope_head_dim"},
    {"shortconv.l_cache", "conv_L_cache"},
});

// llama.cpp takes these for Llama 4's chunks where the file does not say.
constexpr int64_t kLlama4ChunkTokens = 8192;

// The items of a list, yes and no as 1 and 0. Null: it is none, or of something else.
std::optional<std::vector<int64_t>> whole_numbers(const Json& value) {
  if (value.as_array() == nullptr) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const Json& item : *value.as_array()) {
    if (item.as_integer() == nullptr && item.as_bool() == nullptr) return std::nullopt;
    numbers.push_back(item.as_bool() != nullptr ? int64_t{*item.as_bool()} : *item.as_integer());
  }
  return numbers;
}

class Config {
 public:
  Config(const GgufHead& head, std::string architecture)
      : head_(head), prefix_(std::move(architecture) + ".") {}

  const Json* key(std::string_view name) const { return head_.find(prefix_ + std::string(name)); }
  int64_t number(std::string_view name) const {
    const Json* value = key(name);
    const int64_t* integer = value == nullptr ? nullptr : value->as_integer();
    return integer == nullptr ? 0 : *integer;
  }
  double real(std::string_view name) const {
    const Json* value = key(name);
    const double* number = value == nullptr ? nullptr : value->as_double();
    return number == nullptr ? static_cast<double>(this->number(name)) : *number;
  }
  const std::string* text(std::string_view name) const {
    const Json* value = key(name);
    return value == nullptr ? nullptr : value->as_string();
  }
  std::optional<std::vector<int64_t>> list(std::string_view name) const {
    const Json* value = key(name);
    return value == nullptr ? std::nullopt : whole_numbers(*value);
  }

  void set(std::string_view name, Json value) {
    fields_.emplace_back(std::string(name), std::move(value));
  }
  void copy(const Renamed& names) {
    if (const auto items = list(names.from)) {
      set(names.to, Json(Json::Array(items->begin(), items->end())));
    } else if (number(names.from) != 0) {
      set(names.to, number(names.from));
    }
  }
  Json done() && { return Json(std::move(fields_)); }

 private:
  const GgufHead& head_;
  std::string prefix_;
  Json::Object fields_;
};

bool has_tensor(const GgufHead& head, std::string_view name) {
  return std::any_of(head.tensors().begin(), head.tensors().end(),
                     [&](const GgufTensor& tensor) { return tensor.name == name; });
}

// Files say nextn_predict_layers whether or not block_count counts them: only tensors tell, and
// where a first shard has none, the habit of that architecture's converter.
void set_layers(const GgufHead& head, std::string_view architecture, Config& config) {
  const int64_t blocks = config.number("block_count");
  const int64_t drafts = config.number("nextn_predict_layers");
  bool has_drafts = drafts > 0 && drafts < blocks;
  if (has_drafts && head.tensors().empty()) {
    has_drafts = architecture == "glm4moe" || architecture == "glm-dsa";
  } else if (has_drafts) {
    const auto has = [&](int64_t layer, std::string_view name) {
      return has_tensor(head, fmt::format("blk.{}.{}.weight", layer, name));
    };
    const int64_t first = blocks - drafts;
    const bool is_left_out = has(first - 1, "attn_norm") && !has(first, "attn_norm");
    has_drafts = is_left_out || has(first, "nextn.eh_proj") || has(first, "nextn.e_proj");
  }
  config.set("num_hidden_layers", has_drafts ? blocks - drafts : blocks);
  if (has_drafts) config.set("num_nextn_predict_layers", drafts);
}

// Layers without KV heads hold a state, or nothing at all where they have a feed-forward part of
// their own instead.
void set_hybrid_layers(std::string_view model_type, Config& config) {
  const auto kv_heads = config.list("attention.head_count_kv");
  if (!kv_heads) return;
  const auto widths = config.list("feed_forward_length");
  Json::Array types;
  for (size_t layer = 0; layer < kv_heads->size(); ++layer) {
    const bool is_feed_forward =
        model_type == "nemotron_h" && widths && layer < widths->size() && (*widths)[layer] != 0;
    types.emplace_back((*kv_heads)[layer] != 0 ? "full_attention"
                       : is_feed_forward       ? "mlp"
                                               : "linear_attention");
  }
  config.set("layer_types", Json(std::move(types)));
}

void set_states(Config& config, std::string_view model_type) {
  const int64_t inner = config.number("ssm.inner_size");
  const int64_t heads = config.number("ssm.time_step_rank");
  const int64_t state = config.number("ssm.state_size");
  const int64_t groups = config.number("ssm.group_count");
  const int64_t kernel = config.number("ssm.conv_kernel");
  if (model_type == "kimi_linear") {
    config.set("linear_num_heads", config.number("attention.head_count"));
    config.set("linear_head_dim", config.number("kda.head_dim"));
    config.set("linear_conv_kernel_dim", kernel);
  }
  if (inner == 0) return;
  if (model_type.starts_with("qwen3")) {
    config.set("linear_num_key_heads", groups);
    config.set("linear_num_value_heads", heads);
    config.set("linear_key_head_dim", state);
    config.set("linear_value_head_dim", heads == 0 ? 0 : inner / heads);
    config.set("linear_conv_kernel_dim", kernel);
    return;
  }
  config.set("mamba_d_conv", kernel);
  config.set("mamba_d_state", state);
  config.set("mamba_intermediate_size", inner);
  if (groups == 0) return;  // the first Mamba has no heads
  config.set("mamba_n_groups", groups);
  config.set("mamba_n_heads", heads);
  config.set("mamba_d_head", heads == 0 ? 0 : inner / heads);
}

// Which layers have an indexer of their own, where a file says so. The first that share them were
// those of a context this long, and some of their files leave it out.
void set_indexers(Config& config, std::string_view model_type) {
  if (model_type != "glm_moe_dsa") return;
  constexpr int64_t kSharingContext = int64_t{1} << 20;
  if (const auto full = config.list("attention.indexer.types")) {
    Json::Array types;
    for (const int64_t one : *full) types.emplace_back(one != 0 ? "full" : "shared");
    config.set("indexer_types", Json(std::move(types)));
  } else if (config.number("context_length") >= kSharingContext) {
    config.set("index_topk_freq", 4);
    config.set("index_skip_topk_offset", 3);
  }
}

// Sets the values that llama.cpp takes where a file leaves them out. transformers may take others.
void set_what_is_left_out(Config& config, std::string_view model_type) {
  const int64_t heads = config.number("attention.head_count");
  const bool says_its_limit = config.key("context_length") != nullptr;
  if (!says_its_limit && model_type != "deepseek_v4") config.set("max_position_embeddings", 0);
  if (heads == 0) return;
  if (config.key("attention.head_count_kv") == nullptr) config.set("num_key_value_heads", heads);
  if (config.key("attention.key_length") == nullptr) {
    config.set("head_dim", std::max<int64_t>(1, config.number("embedding_length") / heads));
  }
}

int64_t largest(const std::vector<int64_t>& list) {
  return list.empty() ? 0 : *std::max_element(list.begin(), list.end());
}

// As a config says it; the first files scaled linearly and said no more than by how much.
void set_rope_scaling(Config& config) {
  Json::Object scaling;
  const std::string* type = config.text("rope.scaling.type");
  const double linear = config.real("rope.scale_linear");
  if (type != nullptr && *type != "none") {
    scaling.emplace_back("rope_type", *type);
    scaling.emplace_back("factor", config.real("rope.scaling.factor"));
  } else if (type == nullptr && linear > 0) {
    scaling.emplace_back("rope_type", "linear");
    scaling.emplace_back("factor", linear);
  }
  if (scaling.empty()) return;
  const int64_t original = config.number("rope.scaling.original_context_length");
  if (original != 0) scaling.emplace_back("original_max_position_embeddings", original);
  config.set("rope_scaling", Json(std::move(scaling)));
}

Json config_of(const GgufHead& head, std::string_view architecture, std::string_view model_type) {
  Config config(head, std::string(architecture));
  const bool is_hybrid =
      config.key("ssm.conv_kernel") != nullptr || config.key("shortconv.l_cache") != nullptr;
  config.set("model_type", std::string(model_type));
  set_layers(head, architecture, config);
  for (const Renamed& names : kKeys) {
    const auto items = config.list(names.from);
    const bool is_per_layer =
        names.to == "num_attention_heads" || (is_hybrid && names.to == "num_key_value_heads");
    if (items && is_per_layer) {
      config.set(names.to, largest(*items));
    } else {
      config.copy(names);
    }
  }
  if (is_hybrid) set_hybrid_layers(model_type, config);
  set_states(config, model_type);
  set_indexers(config, model_type);
  set_rope_scaling(config);
  set_what_is_left_out(config, model_type);
  if (model_type == "llama4_text" && config.number("attention.chunk_size") == 0) {
    config.set("attention_chunk_size", kLlama4ChunkTokens);
  }
  return std::move(config).done();
}

// Checks the keys that a GGUF file has to have. A config may leave them to the reference
// implementation.
Status check_keys(const GgufHead& head, const std::string& architecture, std::string_view where) {
  const Config config(head, architecture);
  const bool has_heads = architecture != "mamba" && architecture != "mamba2";
  for (const std::string_view key : {"block_count", "embedding_length", "attention.head_count"}) {
    if (config.key(key) != nullptr || (key == "attention.head_count" && !has_heads)) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "key is missing",
                 .where = fmt::format("{}: {}.{}", where, architecture, key),
                 .expected = "a number"};
  }
  for (const Renamed& names : kKeys) {
    const Json* value = config.key(names.from);
    if (value == nullptr || value->as_integer() != nullptr || whole_numbers(*value)) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "key is unusable",
                 .where = fmt::format("{}: {}.{}", where, architecture, names.from),
                 .expected = "a whole number or a list of them"};
  }
  return ok_status();
}

// Where the keys say all that a run needs, the engine runs such a file.
void set_whole_config(const GgufHead& head, std::string_view where, CacheModel& model) {
  const auto has = [&head](const std::string& name) { return has_tensor(head, name); };
  auto config = model::deepseek_v4::read_gguf_config(head.keys(), where, has);
  if (!config.ok()) return;
  model.runs_here = true;
  model.context_tokens_max = config->max_position_count;
  model.own = std::make_shared<const OwnCache>(OwnCache{*std::move(config), model.own->with_draft});
}

// Null: some tensor's type is not known, or there are none.
std::optional<int64_t> weight_bytes_of(const GgufHead& head, CacheModel& model) {
  int64_t bytes = 0;
  for (const GgufTensor& tensor : head.tensors()) {
    if (!tensor.size_bytes || __builtin_add_overflow(bytes, *tensor.size_bytes, &bytes)) {
      model.notes.push_back(
          fmt::format("tensor {} is of an unknown type: weights are not counted", tensor.name));
      return std::nullopt;
    }
  }
  return bytes == 0 ? std::nullopt : std::optional(bytes);
}

// Two names stand for models with a window and for such without.
std::string_view model_type_of(const GgufHead& head, const Renamed& architecture) {
  const bool has_window =
      Config(head, std::string(architecture.from)).number("attention.sliding_window") > 0;
  if (has_window && architecture.from == "llama") return "mistral";
  if (has_window && architecture.from == "olmo2") return "olmo3";
  return architecture.to;
}

Error unknown(std::string_view where, std::string found) {
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "unknown architecture",
               .field = "model",
               .where = std::string(where),
               .expected = fmt::format("one of {} that are known", kArchitectures.size()),
               .found = std::move(found)};
}

Status check_is_a_model(const GgufHead& head, std::string_view where) {
  const Json* type = head.find("general.type");
  const std::string* name = type == nullptr ? nullptr : type->as_string();
  if (name == nullptr || *name == "model") return ok_status();
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "a GGUF file that is no model but goes with one",
               .field = "model",
               .where = std::string(where),
               .expected = "general.type model",
               .found = *name};
}

}  // namespace

std::vector<std::string> known_gguf_architectures() {
  std::vector<std::string> names;
  names.reserve(kArchitectures.size());
  for (const Renamed& row : kArchitectures) names.emplace_back(row.from);
  std::sort(names.begin(), names.end());
  return names;
}

Result<CacheModel> model_of_gguf(std::span<const std::byte> file, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(const GgufHead head, GgufHead::parse(file, where));
  return model_of_gguf_head(head, where);
}

Result<CacheModel> model_of_gguf_head(const GgufHead& head, std::string_view where) {
  KVASIR_RETURN_IF_ERROR(check_is_a_model(head, where));
  const Json* value = head.find("general.architecture");
  const std::string* name = value == nullptr ? nullptr : value->as_string();
  if (name == nullptr) return unknown(where, "no general.architecture");
  const auto* entry = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                   [&](const Renamed& row) { return row.from == *name; });
  if (entry == kArchitectures.end()) return unknown(where, *name);

  KVASIR_RETURN_IF_ERROR(check_keys(head, *name, where));
  KVASIR_ASSIGN_OR_RETURN(
      CacheModel model, model_of_json(config_of(head, *name, model_type_of(head, *entry)), where));
  if (*name == "deepseek2" && head.find("deepseek2.attention.key_length_mla") == nullptr) {
    model.notes.emplace_back(
        "converted without MLA: llama.cpp keeps keys and values of all heads instead of latents");
  }
  if (model.own) set_whole_config(head, where, model);
  model.architecture = *name;
  model.value_bytes = 2;  // llama.cpp's f16
  model.holds_latents_in_fp8 = false;
  model.weight_bytes = weight_bytes_of(head, model);
  return model;
}

}  // namespace kvasir::plan
