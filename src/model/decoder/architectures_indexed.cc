// Architectures whose attention reads what an indexer picks of the latents. Where a config leaves a
// field out, the reference's config class says what it means.
#include <algorithm>
#include <optional>
#include <string>

#include "model/decoder/architectures.h"
#include "model/decoder/config_reading.h"

namespace kvasir::model::decoder {
namespace {

// A name for each layer, and which of the two it is. Nothing where the field is not there.
std::optional<std::vector<bool>> marked_layers(Reading& reading, std::string_view field,
                                               std::string_view no, std::string_view yes) {
  if (!reading.fields.has({field})) return std::nullopt;
  const std::vector<std::string> names = reading.fields.texts({field});
  const auto layer_count = static_cast<size_t>(reading.config.layer_count);
  std::vector<bool> marked(layer_count);
  const bool is_whole = names.size() >= layer_count;
  for (size_t layer = 0; is_whole && layer < layer_count; ++layer)
    marked[layer] = names[layer] == yes;
  const bool is_known = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == no || name == yes;
  });
  if (!is_whole || !is_known) {
    reading.fields.fail(field, "config field is unusable",
                        std::string(no) + " or " + std::string(yes) + " for each layer",
                        reading.fields.find({field}));
  }
  return marked;
}

// "FFSS": full and shared in turn.
std::vector<bool> layers_of_pattern(Reading& reading, const std::string& pattern) {
  std::vector<bool> marked(static_cast<size_t>(reading.config.layer_count));
  if (pattern.size() < marked.size() || pattern.find_first_not_of("FS") != std::string::npos) {
    reading.fields.fail("index_topk_pattern", "config field is unusable", "F or S for each layer",
                        reading.fields.find({"index_topk_pattern"}));
    return marked;
  }
  for (size_t layer = 0; layer < marked.size(); ++layer) marked[layer] = pattern[layer] == 'F';
  return marked;
}

// Every so many layers, behind the first ones, which all have one.
std::vector<bool> layers_at_distance(Reading& reading) {
  const int64_t distance = reading.fields.integer_or({"index_topk_freq"}, 1, kLayersMax, 1);
  const int64_t offset = reading.fields.integer_or({"index_skip_topk_offset"}, 0, kLayersMax, 2);
  std::vector<bool> marked(static_cast<size_t>(reading.config.layer_count));
  for (int64_t layer = 0; layer < std::ssize(marked); ++layer) {
    marked[static_cast<size_t>(layer)] = std::max<int64_t>(layer - offset + 1, 0) % distance == 0;
  }
  return marked;
}

std::vector<bool> layers_with_indexer(Reading& reading) {
  if (auto marked = marked_layers(reading, "indexer_types", "shared", "full")) return *marked;
  const Json* pattern = reading.fields.find({"index_topk_pattern"});
  if (pattern == nullptr) return layers_at_distance(reading);
  if (pattern->as_string() != nullptr) return layers_of_pattern(reading, *pattern->as_string());
  return *marked_layers(reading, "index_topk_pattern", "shared", "full");
}

void mark_indexers(Reading& reading, const std::vector<bool>& has_indexer) {
  std::vector<LayerConfig>& layers = reading.config.layers;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    layers[layer].has_indexer = has_indexer[layer];
  }
  if (has_indexer.front()) return;
  reading.fields.fail("indexer_types", "config field is unusable",
                      "an indexer in the first layer, which has none to share", nullptr);
}

void read_indexer(Reading& reading, int64_t head_count) {
  ConfigFields& fields = reading.fields;
  Config& config = reading.config;
  IndexerConfig& indexer = config.indexer;
  indexer.top_k = fields.integer_or({"index_topk"}, 1, kWidthMax, 2048);
  indexer.head_count = fields.integer_or({"index_n_heads"}, 1, kHeadsMax, head_count);
  indexer.head_dim = fields.integer_or({"index_head_dim"}, 1, kWidthMax, 128);
  if (indexer.head_dim < config.latent.rope_dim) {
    fields.fail("index_head_dim", "config field is unusable",
                "no fewer than qk_rope_head_dim, which are turned",
                fields.find({"index_head_dim"}));
  }
  if (config.latent.query_rank == 0) {
    fields.fail("q_lora_rank", "config field is missing", "it, as an indexer reads these queries",
                fields.find({"q_lora_rank"}));
  }
}

// What no published config of these asks for.
void refuse_others(Reading& reading, bool indexer_is_interleaved) {
  ConfigFields& fields = reading.fields;
  fields.expect_text({"scoring_func"}, "sigmoid");
  fields.expect_text({"topk_method"}, "noaux_tc");
  fields.expect_integer({"moe_layer_freq"}, 1);
  fields.expect_false({"mlp_bias"});
  const auto expect = [&](std::string_view name, bool only) {
    if (fields.boolean_or({name}, only) == only) return;
    fields.fail(name, "config asks for what is not supported", only ? "true" : "false",
                fields.find({name}));
  };
  expect("rope_interleave", true);
  expect("indexer_rope_interleave", indexer_is_interleaved);
  // Two names of one kind of layer: newer and older files.
  for (const std::string& type : fields.texts({"layer_types"})) {
    if (type == "indexed_attention" || type == "deepseek_sparse_attention") continue;
    fields.fail("layer_types", "config asks for what is not supported",
                "indexed_attention in all layers", fields.find({"layer_types"}));
    return;
  }
}

void read_mlp_types(Reading& reading) {
  const auto has_experts = marked_layers(reading, "mlp_layer_types", "dense", "sparse");
  std::vector<LayerConfig>& layers = reading.config.layers;
  for (size_t layer = 0; has_experts && layer < layers.size(); ++layer) {
    layers[layer].has_experts = (*has_experts)[layer];
  }
}

}  // namespace

void read_deepseek_v32(Reading& reading) {
  read_deepseek_v3(reading);
  read_mlp_types(reading);
  read_indexer(reading, 64);
  reading.config.indexer.rope_pairs = ops::RopePairs::kHalves;
  mark_indexers(reading, std::vector<bool>(reading.config.layers.size(), true));
  refuse_others(reading, false);
}

void read_glm_moe_dsa(Reading& reading) {
  read_glm_latents(reading);
  read_mlp_types(reading);
  read_indexer(reading, 32);
  reading.config.indexer.rope_pairs = ops::RopePairs::kAdjacent;
  mark_indexers(reading, layers_with_indexer(reading));
  refuse_others(reading, true);
}

}  // namespace kvasir::model::decoder
