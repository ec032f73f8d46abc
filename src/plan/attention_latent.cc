#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

// "FSSF": full and shared in turn.
int64_t count_letters(Reading& reading, std::string_view field, int64_t layer_count) {
  const std::string letters = reading.fields.text({field});
  if (std::ssize(letters) < layer_count || letters.find_first_not_of("FS") != std::string::npos) {
    reading.fields.fail(field, "config field is unusable",
                        fmt::format("{} letters F and S", layer_count),
                        reading.fields.find({field}));
    return 0;
  }
  return std::count(letters.begin(), letters.begin() + layer_count, 'F');
}

// Layers may share one indexer's choice: only some keep keys. A list says which, or a pattern, or a
// distance with an offset.
int64_t count_indexers(Reading& reading, int64_t layer_count) {
  for (const std::string_view field : {"indexer_types", "index_topk_pattern"}) {
    const Json* value = reading.fields.find({field});
    if (value == nullptr) continue;
    if (value->as_string() != nullptr) return count_letters(reading, field, layer_count);
    return count_marked(reading.fields, field, layer_count,
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
  int64_t count = 0;
  for (int64_t layer = 0; layer < layer_count; ++layer) {
    if (std::max<int64_t>(layer - offset + 1, 0) % distance == 0) ++count;
  }
  return count;
}

CachedVectors latent_of(Reading& reading) {
  const int64_t rank = reading.fields.integer({"kv_lora_rank"}, 1, kDimMax);
  const int64_t rope_dim = reading.fields.integer({"qk_rope_head_dim"}, 0, kDimMax);
  if (reading.fields.has({"num_key_value_heads"})) {
    reading.model.notes.emplace_back("num_key_value_heads is not used: all heads read one latent");
  }
  return {.part = "latents",
          .kind = CachedVectors::Kind::kLatent,
          .key_dim = rank + rope_dim,
          .rope_dim = rope_dim};
}

void add_index_keys(Reading& reading, int64_t layer_count, int64_t draft_count) {
  const int64_t absent = reading.defaults.index_dim;
  if (absent == 0 && !reading.fields.has({"index_head_dim", "index_topk", "index_n_heads"})) return;
  CachedVectors keys{
      .part = "index keys",
      .kind = CachedVectors::Kind::kIndexKeys,
      .layer_count = count_indexers(reading, layer_count),
      .key_dim = absent != 0 ? reading.fields.integer_or({"index_head_dim"}, 1, kDimMax, absent)
                             : reading.fields.integer({"index_head_dim"}, 1, kDimMax)};
  if (keys.layer_count < layer_count) {
    reading.model.notes.push_back(
        fmt::format("{} of {} layers have an indexer; the others use its choice", keys.layer_count,
                    layer_count));
  }
  reading.model.vectors.push_back(keys);
  if (draft_count == 0) return;
  keys.part = "draft index keys";
  keys.layer_count = draft_count;
  keys.is_draft = true;
  reading.model.vectors.push_back(keys);
}

void add_latents(Reading& reading, int64_t attention_count) {
  CachedVectors latent = latent_of(reading);
  latent.layer_count = attention_count;
  reading.model.vectors.push_back(latent);
  const int64_t drafts = draft_layer_count(reading);
  if (drafts > 0) {
    latent.part = "draft layers";
    latent.layer_count = drafts;
    latent.is_draft = true;
    reading.model.vectors.push_back(latent);
  }
  add_index_keys(reading, attention_count, drafts);
}

}  // namespace

void latents(Reading& reading, const LayerMix& mix) {
  if (!reading.fields.boolean_or({"use_mla"}, true)) return heads(reading, mix);
  expect_roles(reading, mix, {LayerRole::kFull, LayerRole::kRecurrent});
  add_latents(reading, std::count(mix.begin(), mix.end(), LayerRole::kFull));
}

void latents_twice(Reading& reading, const LayerMix& mix) {
  expect_roles(reading, mix, {LayerRole::kFull});
  add_latents(reading, 2 * std::ssize(mix));
}

}  // namespace kvasir::plan
