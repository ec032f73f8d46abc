#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

// "FSSF": full and shared in turn.
std::vector<bool> marked_letters(Reading& reading, std::string_view field, int64_t layer_count) {
  const std::string letters = reading.fields.text({field});
  std::vector<bool> marked(static_cast<size_t>(layer_count));
  if (std::ssize(letters) < layer_count || letters.find_first_not_of("FS") != std::string::npos) {
    reading.fields.fail(field, "config field is unusable",
                        fmt::format("{} letters F and S", layer_count),
                        reading.fields.find({field}));
    return marked;
  }
  for (size_t layer = 0; layer < marked.size(); ++layer) marked[layer] = letters[layer] == 'F';
  return marked;
}

// Layers may share one indexer's choice: only some keep keys. A list says which, or a pattern, or a
// distance with an offset.
std::vector<bool> layers_with_indexer(Reading& reading, int64_t layer_count) {
  for (const std::string_view field : {"indexer_types", "index_topk_pattern"}) {
    const Json* value = reading.fields.find({field});
    if (value == nullptr) continue;
    if (value->as_string() != nullptr) return marked_letters(reading, field, layer_count);
    return marked_layers(reading.fields, field, layer_count,
                         [](const Json& item) -> std::optional<bool> {
                           const std::string* name = item.as_string();
                           if (name == nullptr || (*name != "full" && *name != "shared")) {
                             return std::nullopt;
                           }
                           return *name == "full";
                         });
  }
  const int64_t distance = reading.fields.integer_or({"index_topk_freq"}, 1, kLayersMax,
                                                     reading.defaults.index_distance);
  const int64_t offset = reading.fields.integer_or({"index_skip_topk_offset"}, 0, kLayersMax, 2);
  std::vector<bool> marked(static_cast<size_t>(layer_count));
  for (int64_t layer = 0; layer < layer_count; ++layer) {
    marked[static_cast<size_t>(layer)] = std::max<int64_t>(layer - offset + 1, 0) % distance == 0;
  }
  return marked;
}

kv::Stream latent_of(Reading& reading) {
  const int64_t rank = reading.fields.integer({"kv_lora_rank"}, 1, kDimMax);
  const int64_t rope_dim = reading.fields.integer({"qk_rope_head_dim"}, 0, kDimMax);
  if (reading.fields.has({"num_key_value_heads"})) {
    reading.model.notes.emplace_back("num_key_value_heads is not used: all heads read one latent");
  }
  return {.width = rank + rope_dim, .rope_width = rope_dim};
}

// Null: the model has no indexer.
std::optional<kv::Stream> index_keys_of(Reading& reading) {
  const int64_t absent = reading.defaults.index_dim;
  if (absent == 0 && !reading.fields.has({"index_head_dim", "index_topk", "index_n_heads"})) {
    return std::nullopt;
  }
  return kv::Stream{.role = kv::Role::kIndexKeys,
                    .width = absent != 0
                                 ? reading.fields.integer_or({"index_head_dim"}, 1, kDimMax, absent)
                                 : reading.fields.integer({"index_head_dim"}, 1, kDimMax)};
}

void tell_shared_choices(Reading& reading, const std::vector<bool>& has_indexer) {
  const auto count = std::count(has_indexer.begin(), has_indexer.end(), true);
  if (count == std::ssize(has_indexer)) return;
  reading.model.notes.push_back(fmt::format(
      "{} of {} layers have an indexer; the others use its choice", count, has_indexer.size()));
}

// Latents of these layers, as often as one is named. With an indexer somewhere all rows are picked.
void add_latents(Reading& reading, const std::vector<size_t>& layers) {
  kv::Stream latent = latent_of(reading);
  const std::optional<kv::Stream> keys = index_keys_of(reading);
  std::vector<bool> has_indexer(layers.size());
  if (keys) {
    has_indexer = layers_with_indexer(reading, std::ssize(layers));
    tell_shared_choices(reading, has_indexer);
    latent.reach = kv::Reach::kPicked;
    if (reading.architecture.keeps_cold_latents) {
      reading.model.picked_latents_max =
          reading.fields.integer_or({"index_topk"}, 1, kDimMax, 2048);
    }
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    std::vector<kv::Stream>& streams = reading.cache.layers[layers[i]].streams;
    streams.push_back(latent);
    if (has_indexer[i]) streams.push_back(*keys);
  }
  kv::Layer draft{.streams = {latent}, .is_draft = true};
  if (keys) draft.streams.push_back(*keys);
  reading.cache.layers.insert(reading.cache.layers.end(),
                              static_cast<size_t>(draft_layer_count(reading)), draft);
}

}  // namespace

void latents(Reading& reading, const LayerMix& mix) {
  if (!reading.fields.boolean_or({"use_mla"}, true)) return heads(reading, mix);
  expect_roles(reading, mix, {LayerRole::kFull, LayerRole::kRecurrent});
  std::vector<size_t> layers;
  for (size_t layer = 0; layer < mix.size(); ++layer) {
    if (mix[layer] == LayerRole::kFull) layers.push_back(layer);
  }
  add_latents(reading, layers);
}

void latents_twice(Reading& reading, const LayerMix& mix) {
  expect_roles(reading, mix, {LayerRole::kFull});
  std::vector<size_t> layers;
  for (size_t layer = 0; layer < mix.size(); ++layer) layers.insert(layers.end(), 2, layer);
  add_latents(reading, layers);
}

}  // namespace kvasir::plan
