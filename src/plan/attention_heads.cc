#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

const ConfigFields::Names kHeadNames = {"num_attention_heads", "n_head", "n_heads", "num_heads"};
const ConfigFields::Names kKvHeadNames = {"num_key_value_heads", "num_kv_heads", "n_head_kv",
                                          "num_key_value_heads_per_layer"};
const ConfigFields::Names kHeadDimNames = {"head_dim", "attention_head_dim", "kv_channels"};

struct HeadDims {
  int64_t head_count = 0;
  int64_t key_dim = 0;
  int64_t value_dim = 0;
  int64_t window_tokens = 0;
  bool is_chunked = false;
};

int64_t required_or(Reading& reading, ConfigFields::Names names, int64_t max, int64_t absent) {
  return absent != 0 ? reading.fields.integer_or(names, 1, max, absent)
                     : reading.fields.integer(names, 1, max);
}

int64_t read_head_count(Reading& reading) {
  return required_or(reading, kHeadNames, kHeadsMax, reading.defaults.head_count);
}

// Stated, or what the hidden size leaves to each head. (hidden size by heads is wrong for many.)
int64_t read_head_dim(Reading& reading, int64_t head_count) {
  const int64_t absent = reading.defaults.head_dim;
  // kv_channels are not a head's where attention is wider than the hidden size.
  const ConfigFields::Names wide_names = {"head_dim", "attention_head_dim"};
  const ConfigFields::Names names =
      reading.defaults.attention_width_factor != 1 ? wide_names : kHeadDimNames;
  if (absent != 0 || reading.fields.has(names)) {
    return reading.fields.integer_or(names, 1, kDimMax, absent);
  }
  const int64_t width = required_or(reading, {"hidden_size", "n_embd", "d_model", "n_embed"},
                                    kWidthMax, reading.defaults.hidden_size) *
                        reading.defaults.attention_width_factor;
  const int64_t hidden =
      reading.fields.integer_or({"attention_hidden_size"}, 1, 2 * kWidthMax, width);
  if (hidden % head_count != 0) {
    reading.fields.fail(
        "head_dim", "config field is missing",
        fmt::format("it, as {} heads do not divide the {} of hidden_size", head_count, hidden),
        nullptr);
  }
  return std::max<int64_t>(1, hidden / head_count);
}

// The reference's own number only where it could be: a config of other heads has lost the field.
int64_t read_kv_head_count(Reading& reading, int64_t head_count) {
  const int64_t own = reading.defaults.kv_head_count;
  const int64_t absent = own != 0 ? own : head_count;
  if (head_count % absent != 0 && !reading.fields.has(kKvHeadNames)) {
    reading.fields.fail(
        "num_key_value_heads", "config field is missing",
        fmt::format("it, as the reference's {} do not divide {} heads", absent, head_count),
        nullptr);
  }
  return reading.fields.integer_or(kKvHeadNames, 1, kHeadsMax, absent);
}

HeadDims full_dims(Reading& reading, const HeadDims& stated) {
  HeadDims dims = stated;
  const int64_t absent = reading.defaults.global_head_dim;
  dims.key_dim = reading.fields.integer_or({"global_head_dim"}, 1, kDimMax,
                                           absent != 0 ? absent : stated.key_dim);
  if (dims.key_dim != stated.key_dim) dims.value_dim = dims.key_dim;
  // Full layers have heads of their own where keys double as values.
  if (reading.fields.boolean_or({"attention_k_eq_v"}, true)) {
    dims.head_count =
        reading.fields.integer_or({"num_global_key_value_heads"}, 1, kHeadsMax, dims.head_count);
  }
  return dims;
}

HeadDims window_dims(Reading& reading, const HeadDims& stated) {
  HeadDims dims = stated;
  dims.head_count =
      reading.fields.integer_or({"swa_num_key_value_heads"}, 1, kHeadsMax,
                                stated.head_count * reading.defaults.window_head_factor);
  dims.key_dim = reading.fields.integer_or({"swa_head_dim"}, 1, kDimMax, stated.key_dim);
  const int64_t absent = dims.key_dim != stated.key_dim ? dims.key_dim : stated.value_dim;
  dims.value_dim = reading.fields.integer_or({"swa_v_head_dim"}, 1, kDimMax, absent);
  return dims;
}

bool is_attention(LayerRole role) {
  return role == LayerRole::kFull || role == LayerRole::kBoth || role == LayerRole::kWindow ||
         role == LayerRole::kChunk;
}

// The last of the first `end` layers that has the role; -1: none has.
int64_t last_of_role(const LayerMix& mix, int64_t end, LayerRole role) {
  for (int64_t layer = end - 1; layer >= 0; --layer) {
    if (mix[static_cast<size_t>(layer)] == role) return layer;
  }
  return -1;
}

// The layers of a mix that keep a cache of their own: some read another layer's.
LayerMix without_sharing(Reading& reading, const LayerMix& whole_mix) {
  LayerMix mix = whole_mix;
  const int64_t layer_count = std::ssize(mix);
  const int64_t absent = reading.defaults.shared_layers;
  if (absent > layer_count && !reading.fields.has({"num_kv_shared_layers"})) {
    reading.fields.fail("num_kv_shared_layers", "config field is missing",
                        fmt::format("it, as the reference's {} are more than all layers", absent),
                        nullptr);
    return mix;
  }
  const int64_t shared =
      reading.fields.integer_or({"num_kv_shared_layers"}, 0, layer_count, absent);
  for (int64_t layer = layer_count - shared; layer < layer_count; ++layer) {
    const auto place = static_cast<size_t>(layer);
    reading.cache.layers[place].source_layer =
        last_of_role(whole_mix, layer_count - shared, whole_mix[place]);
    mix[place] = LayerRole::kNone;
  }
  if (shared > 0) {
    reading.model.notes.push_back(
        fmt::format("the last {} layers read the cache of layers before them", shared));
  }
  const int64_t factor = reading.fields.boolean_or({"use_cla"}, false)
                             ? reading.fields.integer_or({"cla_share_factor"}, 1, kLayersMax, 1)
                             : 1;
  for (int64_t layer = 0; layer < layer_count; ++layer) {
    if (layer % factor == 0) continue;
    reading.cache.layers[static_cast<size_t>(layer)].source_layer = layer - layer % factor;
    mix[static_cast<size_t>(layer)] = LayerRole::kNone;
  }
  if (factor > 1) {
    reading.model.notes.push_back(fmt::format("{} layers in turn share one cache", factor));
  }
  return mix;
}

int64_t read_window(Reading& reading) {
  return required_or(
      reading, {"sliding_window", "sliding_window_size", "attention_window_size", "window_size"},
      kTokensMax, reading.defaults.window_tokens);
}

kv::Layer layer_of(const HeadDims& dims) {
  kv::Stream keys{.role = kv::Role::kKeys,
                  .reach = dims.window_tokens == 0 ? kv::Reach::kAll : kv::Reach::kWindow,
                  .vectors = dims.head_count,
                  .width = dims.key_dim,
                  .window_tokens = dims.window_tokens,
                  .is_chunked = dims.is_chunked};
  kv::Stream values = keys;
  values.role = kv::Role::kValues;
  values.width = dims.value_dim;
  return {.streams = {keys, values}};
}

// Takes over what per_layer_config says of one layer ("05": {"head_dim": 512}), as transformers
// writes it.
void apply_layer_config(Reading& reading, int64_t layer, HeadDims& dims) {
  const Json* layers = reading.fields.find({"per_layer_config"});
  if (layers == nullptr || layers->as_object() == nullptr) return;
  for (const auto& [number, fields] : *layers->as_object()) {
    int64_t at = -1;
    std::from_chars(number.data(), number.data() + number.size(), at);
    if (at != layer || fields.as_object() == nullptr) continue;
    for (const auto& [name, value] : *fields.as_object()) {
      const int64_t* count = value.as_integer();
      if (name == "num_key_value_heads" && count != nullptr && *count >= 1 && *count <= kHeadsMax) {
        dims.head_count = *count;
      } else if (name == "head_dim" && count != nullptr && *count >= 1 && *count <= kDimMax) {
        dims.key_dim = dims.value_dim = *count;
      } else {
        reading.fields.fail(fmt::format("per_layer_config.{}.{}", number, name),
                            "unknown setting of a layer", "head_dim or num_key_value_heads",
                            &value);
      }
    }
  }
}

HeadDims dims_of_role(Reading& reading, LayerRole role, const HeadDims& stated) {
  HeadDims dims = role == LayerRole::kWindow  ? window_dims(reading, stated)
                  : role == LayerRole::kChunk ? stated
                                              : full_dims(reading, stated);
  if (role == LayerRole::kWindow) dims.window_tokens = read_window(reading);
  if (role == LayerRole::kChunk) {
    dims.window_tokens = reading.fields.integer({"attention_chunk_size"}, 1, kTokensMax);
    dims.is_chunked = true;
  }
  return dims;
}

// Those that a config does not tell apart are as the first layer that attends.
void add_drafts(Reading& reading, const LayerMix& mix, const HeadDims& stated) {
  std::vector<kv::Layer>& layers = reading.cache.layers;
  const auto first = std::find_if(mix.begin(), mix.end(), is_attention);
  const auto as_first = std::find_if(layers.begin(), layers.end(),
                                     [](const kv::Layer& layer) { return !layer.streams.empty(); });
  if (first == mix.end() || as_first == layers.end()) return;
  const kv::Layer usual{.streams = as_first->streams};
  for (const LayerRole role : draft_mix(reading, std::ssize(mix), *first)) {
    if (!is_attention(role)) continue;
    kv::Layer draft = role == *first ? usual : layer_of(dims_of_role(reading, role, stated));
    draft.is_draft = true;
    layers.push_back(std::move(draft));
  }
}

// kv_heads: [layers], or empty where all layers have as many as `stated` says.
void add_layers(Reading& reading, const LayerMix& whole_mix, const HeadDims& stated,
                const std::vector<int64_t>& kv_heads) {
  // transformers says by layer what published files say by kind.
  const bool is_per_layer = reading.fields.has({"per_layer_config"});
  const LayerMix mix = without_sharing(reading, whole_mix);
  for (size_t layer = 0; layer < mix.size() && !reading.fields.error(); ++layer) {
    if (!is_attention(mix[layer])) continue;
    HeadDims dims = dims_of_role(reading, mix[layer], stated);
    if (is_per_layer) {
      dims.key_dim = stated.key_dim;
      dims.value_dim = stated.value_dim;
      apply_layer_config(reading, static_cast<int64_t>(layer), dims);
    }
    if (!kv_heads.empty()) dims.head_count = kv_heads[layer];
    if (dims.head_count != 0) reading.cache.layers[layer].streams = layer_of(dims).streams;
  }
  add_drafts(reading, mix, stated);
}

HeadDims stated_dims(Reading& reading) {
  const int64_t head_count = read_head_count(reading);
  reading.model.query_heads = head_count;
  const int64_t head_dim = read_head_dim(reading, head_count);
  const int64_t absent = reading.defaults.value_dim;
  const int64_t value_dim =
      reading.fields.integer_or({"v_head_dim"}, 1, kDimMax, absent != 0 ? absent : head_dim);
  return {.head_count = head_count, .key_dim = head_dim, .value_dim = value_dim};
}

// Returns the KV heads of each layer; empty where one number stands for all, or none.
std::vector<int64_t> read_kv_list(Reading& reading, int64_t layer_count) {
  const Json* value = reading.fields.find(kKvHeadNames);
  const Json::Array* list = value == nullptr ? nullptr : value->as_array();
  if (list == nullptr) return {};
  std::vector<int64_t> heads_of;
  heads_of.reserve(list->size());
  for (const Json& item : *list) {
    const int64_t count = item.as_integer() == nullptr ? -1 : *item.as_integer();
    if (count < 0 || count > kHeadsMax) break;
    heads_of.push_back(count);
  }
  if (std::ssize(heads_of) < layer_count || heads_of.size() != list->size()) {
    reading.fields.fail("num_key_value_heads", "config field is unusable",
                        fmt::format("a number for each of {} layers", layer_count), value);
    return {};
  }
  return heads_of;
}

}  // namespace

int64_t read_layer_count(Reading& reading) {
  const ConfigFields::Names names = {"num_hidden_layers", "n_layer", "n_layers", "num_layers",
                                     "num_transformer_layers"};
  if (!reading.fields.has(names)) {
    // Some configs only list their layers.
    const Json* list =
        reading.fields.find({"layers_block_type", "layer_types", "hybrid_override_pattern"});
    const bool is_list = list != nullptr && list->as_array() != nullptr;
    const bool is_text = list != nullptr && list->as_string() != nullptr;
    const int64_t count = is_list   ? std::ssize(*list->as_array())
                          : is_text ? std::ssize(*list->as_string())
                                    : 0;
    if (count > 0) return std::min(count, kLayersMax);
  }
  return required_or(reading, names, kLayersMax, reading.defaults.layer_count);
}

void heads(Reading& reading, const LayerMix& mix) {
  HeadDims dims = stated_dims(reading);
  const std::vector<int64_t> kv_heads = read_kv_list(reading, std::ssize(mix));
  const bool attends = std::any_of(mix.begin(), mix.end(), is_attention);
  if (kv_heads.empty() && attends) dims.head_count = read_kv_head_count(reading, dims.head_count);
  add_layers(reading, mix, dims, kv_heads);
}

void heads_of_falcon(Reading& reading, const LayerMix& mix) {
  HeadDims dims = stated_dims(reading);
  // The first files say neither; of these the one that states its KV heads has them.
  const bool states_heads = reading.fields.has(kKvHeadNames);
  const bool is_new = reading.fields.boolean_or(
      {"new_decoder_architecture"}, states_heads && !reading.fields.has({"multi_query"}));
  if (is_new) {
    dims.head_count = read_kv_head_count(reading, dims.head_count);
  } else if (reading.fields.boolean_or({"multi_query"}, true)) {
    if (states_heads) {
      reading.model.notes.emplace_back("num_kv_heads is not used: one head serves all queries");
    }
    dims.head_count = 1;
  }
  add_layers(reading, mix, dims, {});
}

void heads_of_bigcode(Reading& reading, const LayerMix& mix) {
  HeadDims dims = stated_dims(reading);
  if (reading.fields.boolean_or({"multi_query"}, true)) dims.head_count = 1;
  add_layers(reading, mix, dims, {});
}

// The first ChatGLM has no groups of heads.
void heads_of_chatglm(Reading& reading, const LayerMix& mix) {
  HeadDims dims = stated_dims(reading);
  if (reading.fields.boolean_or({"multi_query_attention"}, false)) {
    dims.head_count = reading.fields.integer({"multi_query_group_num"}, 1, kHeadsMax);
  }
  add_layers(reading, mix, dims, {});
}

void heads_of_attn_config(Reading& reading, const LayerMix& mix) {
  HeadDims dims = stated_dims(reading);
  if (reading.defaults.kv_head_count != 0) dims.head_count = reading.defaults.kv_head_count;
  if (const Json* config = reading.fields.find({"attn_config"})) {
    ConfigFields nested(*config, reading.fields.path(), "attn_config.");
    dims.head_count = nested.integer_or({"kv_n_heads"}, 1, kHeadsMax, dims.head_count);
    if (nested.text_or({"attn_type"}, "") == "multiquery_attention") dims.head_count = 1;
    if (nested.error()) reading.fields.fail(*nested.error());
  }
  add_layers(reading, mix, dims, {});
}

void heads_of_blocks(Reading& reading, const LayerMix& mix) {
  const HeadDims dims = stated_dims(reading);
  const Json* blocks = reading.fields.find({"block_configs"});
  const Json::Array* items = blocks == nullptr ? nullptr : blocks->as_array();
  std::vector<int64_t> kv_heads;
  const Json::Array no_blocks;
  for (const Json& block : items == nullptr ? no_blocks : *items) {
    const Json* attention = block.find("attention");
    const Json none;
    ConfigFields fields(attention == nullptr ? none : *attention, reading.fields.path(),
                        fmt::format("block_configs[{}].attention.", kv_heads.size()));
    const bool has_none =
        fields.boolean_or({"no_op"}, false) || fields.boolean_or({"replace_with_linear"}, false);
    const int64_t group = has_none ? 1 : fields.integer({"n_heads_in_group"}, 1, dims.head_count);
    kv_heads.push_back(has_none ? 0 : dims.head_count / group);
    if (fields.error()) reading.fields.fail(*fields.error());
  }
  if (kv_heads.size() != mix.size()) {
    reading.fields.fail("block_configs", "config field is unusable",
                        fmt::format("a list of {} layers", mix.size()), blocks);
    return;
  }
  add_layers(reading, mix, dims, kv_heads);
}

void heads_with_index(Reading& reading, const LayerMix& mix) {
  heads(reading, mix);
  const int64_t layer_count = std::ssize(mix);
  std::vector<bool> has_indexer(mix.size());
  int64_t index_dim =
      reading.fields.integer_or({"index_head_dim"}, 1, kDimMax, reading.defaults.index_dim);
  if (const Json* sparse = reading.fields.find({"sparse_attention_config"})) {
    ConfigFields nested(*sparse, reading.fields.path(), "sparse_attention_config.");
    index_dim = nested.integer({"sparse_index_dim"}, 1, kDimMax);
    has_indexer = marked_layers(nested, "sparse_attention_freq", layer_count,
                                [](const Json& item) -> std::optional<bool> {
                                  if (item.as_integer() == nullptr) return std::nullopt;
                                  return *item.as_integer() != 0;
                                });
    if (nested.error()) reading.fields.fail(*nested.error());
  } else if (reading.fields.has({"layer_types"})) {
    has_indexer = marked_layers(reading.fields, "layer_types", layer_count,
                                [](const Json& item) -> std::optional<bool> {
                                  if (item.as_string() == nullptr) return std::nullopt;
                                  return *item.as_string() == "minimax_m3_sparse";
                                });
  }
  for (size_t layer = 0; layer < mix.size() && index_dim != 0; ++layer) {
    std::vector<kv::Stream>& streams = reading.cache.layers[layer].streams;
    if (!has_indexer[layer]) continue;
    for (kv::Stream& rows : streams) rows.reach = kv::Reach::kPicked;
    streams.push_back({.role = kv::Role::kIndexKeys, .width = index_dim});
  }
}

void no_attention(Reading& reading, const LayerMix& mix) {
  expect_roles(reading, mix, {LayerRole::kRecurrent});
}

}  // namespace kvasir::plan
