#include "model/deepseek_v4/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/check.h"
#include "checkpoint/config_fields.h"
#include "checkpoint/context_limit.h"
#include "model/deepseek_v4/config_reading.h"
#include "model/deepseek_v4/config_rope.h"

namespace kvasir::model::deepseek_v4 {
namespace {

constexpr std::string_view kModelType = "deepseek_v4";
constexpr std::string_view kArchitecture = "DeepseekV4ForCausalLM";
constexpr IndexNames kIndexNames = {
    .head_count = "index_n_heads", .head_dim = "index_head_dim", .top_k = "index_topk"};

bool names_architecture(const Json* list) {
  if (list == nullptr || list->as_array() == nullptr) return false;
  return std::any_of(list->as_array()->begin(), list->as_array()->end(), [](const Json& name) {
    return name.as_string() != nullptr && *name.as_string() == kArchitecture;
  });
}

// Refuses choices that V4 never makes. Ignoring them would change the arithmetic silently.
void check_fixed_choices(ConfigFields& fields) {
  fields.text({"scoring_func"});
  fields.expect_text({"scoring_func"}, "sqrtsoftplus");
  fields.expect_text({"topk_method"}, "noaux_tc");
  fields.expect_text({"hidden_act"}, "silu");
  fields.expect_integer({"num_key_value_heads"}, 1);
  fields.expect_integer({"n_group"}, 1);
  fields.expect_false({"attention_bias"});
  fields.expect_false({"mlp_bias"});
  const Json* quantization = fields.find({"quantization_config"});
  const Json* block = quantization == nullptr ? nullptr : quantization->find("weight_block_size");
  if (block == nullptr || block->is_null() || block->dump() == "[128,128]") return;
  fields.fail("quantization_config.weight_block_size", "config asks for what is not supported",
              "[128,128]", block);
}

int64_t read_position_count(ConfigFields& fields) {
  return context_limit(fields, fields.integer_or({"max_position_embeddings"}, 1, kPositionsMax, 0))
      .tokens;
}

// What GGUF files do not state, or state in another way.
void read_rest(ConfigFields& fields, Config& config) {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  config.max_position_count = read_position_count(fields);
  config.swiglu_limit = swiglu_limit_of(fields.real_or({"swiglu_limit"}, 0, kNoLimit, 0));
  config.norm_topk_prob = fields.boolean_or({"norm_topk_prob"}, true);
  config.tie_word_embeddings = fields.boolean_or({"tie_word_embeddings"}, false);
}

std::optional<LayerKind> kind_of_type(const Json& type) {
  const std::string name = type.as_string() == nullptr ? "" : *type.as_string();
  if (name == "sliding_attention") return LayerKind::kWindow;
  if (name == "compressed_sparse_attention") return LayerKind::kCsa;
  if (name == "heavily_compressed_attention") return LayerKind::kHca;
  return std::nullopt;
}

void read_layer_kinds(ConfigFields& fields, Config& config) {
  if (fields.has({"compress_ratios"})) {
    read_kinds(fields, "compress_ratios", kind_of_ratio, config);
  } else if (fields.has({"layer_types"})) {
    read_kinds(fields, "layer_types", kind_of_type, config);
  } else {
    fields.fail("compress_ratios or layer_types", "config field is missing", "one of them",
                nullptr);
  }
}

// transformers says per layer type what official configs say per layer.
void check_compress_rates(ConfigFields& fields) {
  fields.expect_integer({"compress_rate_csa"}, kCsaRatio);
  fields.expect_integer({"compress_rate_hca"}, kHcaRatio);
  const Json* rates = fields.find({"compress_rates"});
  if (rates == nullptr) return;
  ConfigFields by_type(*rates, fields.path(), "compress_rates.");
  by_type.expect_integer({"compressed_sparse_attention"}, kCsaRatio);
  by_type.expect_integer({"heavily_compressed_attention"}, kHcaRatio);
  if (by_type.error()) fields.fail(*by_type.error());
}

void read_hash_layer_count(ConfigFields& fields, Config& config) {
  if (fields.has({"num_hash_layers"}) || !fields.has({"mlp_layer_types"})) {
    config.hash_layer_count =
        fields.integer({"num_hash_layers", "mlp_layer_types"}, 0, config.layer_count);
    return;
  }
  const Json::Array* items = layer_list(fields, "mlp_layer_types", config.layer_count);
  if (items == nullptr) return;
  for (int64_t layer = 0; layer < config.layer_count; ++layer) {
    const Json& item = (*items)[static_cast<size_t>(layer)];
    const std::string type = item.as_string() == nullptr ? "" : *item.as_string();
    const bool is_hash = type == "hash_moe";
    if ((is_hash && config.hash_layer_count < layer) || (!is_hash && type != "moe")) {
      fields.fail(fmt::format("mlp_layer_types[{}]", layer), "unsupported kind of layer",
                  "hash_moe in the first layers, then moe", &item);
      return;
    }
    if (is_hash) ++config.hash_layer_count;
  }
}

// Layers of the draft model that compress_ratios says anything about.
int64_t draft_layer_count(ConfigFields& fields, int64_t layer_count) {
  const Json* ratios = fields.find({"compress_ratios"});
  const int64_t listed =
      ratios == nullptr || ratios->as_array() == nullptr ? 0 : std::ssize(*ratios->as_array());
  const int64_t drafts = fields.integer_or({"num_nextn_predict_layers"}, 0, kLayersMax, 0);
  return std::clamp<int64_t>(listed - layer_count, 0, drafts);
}

}  // namespace

bool runs(const Json& root) {
  if (runs_gguf(root)) return true;
  const Json* type = root.find("model_type");
  if (type == nullptr || type->is_null()) return names_architecture(root.find("architectures"));
  return type->as_string() != nullptr && *type->as_string() == kModelType;
}

Result<Config> read_config(const Json& root, std::string_view where) {
  ConfigFields fields(root, where);
  Config config;
  config.vocab_size = fields.integer({"vocab_size"}, 1, kVocabMax);
  config.layer_count = fields.integer({"num_hidden_layers"}, 1, kLayersMax);
  read_sizes(fields, Names::kConfig, config);
  check_fixed_choices(fields);
  read_scalars(fields, Names::kConfig, config);
  read_rest(fields, config);
  check_compress_rates(fields);
  check_relations(fields,
                  {.output_group_count = "o_groups", .experts_per_token = "num_experts_per_tok"},
                  config);
  if (fields.error()) return *fields.error();

  // From here on every size can be relied upon.
  read_layer_kinds(fields, config);
  read_hash_layer_count(fields, config);
  read_rope(fields, root, config);
  read_index(fields, kIndexNames, config);
  read_special_tokens(fields, "bos_token_id", "eos_token_id", config);
  if (fields.error()) return *fields.error();
  check_sizes(config);
  return config;
}

Result<Config> read_cache_config(const Json& root, std::string_view where, DraftLayers drafts) {
  ConfigFields fields(root, where);
  Config config;
  config.layer_count = fields.integer({"num_hidden_layers"}, 1, kLayersMax);
  config.head_dim = fields.integer({"head_dim"}, 2, kWidthMax);
  config.window = fields.integer({"sliding_window"}, 1, kWidthMax);
  config.max_position_count = read_position_count(fields);
  check_compress_rates(fields);
  if (fields.error()) return *fields.error();
  if (drafts == DraftLayers::kAppended) {
    config.layer_count += draft_layer_count(fields, config.layer_count);
  }
  config.rope_dim = read_rope_dim(fields, root, config.head_dim);
  read_layer_kinds(fields, config);
  read_index(fields, kIndexNames, config);
  if (fields.error()) return *fields.error();
  check_sizes(config);
  return config;
}

}  // namespace kvasir::model::deepseek_v4
