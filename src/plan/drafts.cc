// Layers that only speculative decoding runs: how many, and of which kind.
#include <algorithm>
#include <string>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

// Modules of some layers each, unless they are switched off.
int64_t count_in_modules(ConfigFields& fields) {
  const int64_t modules = fields.integer_or({"num_mtp_modules"}, 0, kLayersMax, 0);
  const int64_t layers = fields.integer_or({"mtp_transformer_layers"}, 0, kLayersMax, 1);
  return fields.boolean_or({"use_mtp"}, true) ? std::min(modules * layers, kLayersMax) : 0;
}

int64_t count_drafts(ConfigFields& fields) {
  return fields.integer_or({"num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers",
                            "mtp_num_layers", "num_mtp_predict_layers"},
                           0, kLayersMax, 0);
}

// A draft may be a row of blocks of which some attend (Nemotron-H: "*E").
int64_t attentions_per_draft(ConfigFields& fields) {
  const std::string letters = fields.text_or({"mtp_hybrid_override_pattern"}, "");
  if (!letters.empty()) return std::count(letters.begin(), letters.end(), '*');
  const Json* blocks = fields.find({"mtp_layers_block_type"});
  if (blocks == nullptr || blocks->as_array() == nullptr) return 1;
  return std::count_if(blocks->as_array()->begin(), blocks->as_array()->end(),
                       [](const Json& block) { return role_of_name(block) == LayerRole::kFull; });
}

// The kinds of the drafts in a list, from a place on; null where it does not go that far.
const Json* listed_kind(const ConfigFields& fields, std::string_view field, int64_t at) {
  const Json* list = fields.find({field});
  const bool has_it = list != nullptr && list->as_array() != nullptr && at >= 0 &&
                      at < std::ssize(*list->as_array());
  return has_it ? &(*list->as_array())[static_cast<size_t>(at)] : nullptr;
}

}  // namespace

int64_t draft_layer_count(Reading& reading) {
  ConfigFields& fields = reading.fields;
  if (fields.has({"num_mtp_modules"})) return count_in_modules(fields);
  const Json* apart = fields.find({"mtp_config"});
  if (apart != nullptr && apart->as_object() != nullptr) {
    ConfigFields nested(*apart, fields.path(), "mtp_config.");
    const int64_t count = count_drafts(nested);
    if (nested.error()) fields.fail(*nested.error());
    if (count > 0) return count;
  }
  return std::min(count_drafts(fields) * attentions_per_draft(fields), kLayersMax);
}

LayerMix draft_mix(Reading& reading, int64_t layer_count, LayerRole usual) {
  LayerMix mix(static_cast<size_t>(draft_layer_count(reading)), usual);
  for (size_t draft = 0; draft < mix.size(); ++draft) {
    const auto at = static_cast<int64_t>(draft);
    const Json* kind = listed_kind(reading.fields, "mtp_layer_types", at);
    // Lists of all layers go on behind the last one.
    if (kind == nullptr) kind = listed_kind(reading.fields, "layer_types", layer_count + at);
    if (kind == nullptr) continue;
    mix[draft] = role_of_name(*kind).value_or(usual);
  }
  return mix;
}

}  // namespace kvasir::plan
