#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

constexpr std::string_view kUnusable = "config field is unusable";

struct RoleName {
  std::string_view name;
  LayerRole role;
};
constexpr std::array kRoleNames = std::to_array<RoleName>({
    {"full_attention", LayerRole::kFull},
    {"attention", LayerRole::kFull},
    {"global", LayerRole::kFull},
    {"global_attention", LayerRole::kFull},
    {"minimax_m3_sparse", LayerRole::kFull},
    {"deepseek_sparse_attention", LayerRole::kFull},
    {"indexed_attention", LayerRole::kFull},
    {"sliding_attention", LayerRole::kWindow},
    {"sliding_window_attention", LayerRole::kWindow},
    {"local", LayerRole::kWindow},
    {"local_attention", LayerRole::kWindow},
    {"chunked_attention", LayerRole::kChunk},
    {"linear_attention", LayerRole::kRecurrent},
    {"recurrent", LayerRole::kRecurrent},
    {"mamba", LayerRole::kRecurrent},
    {"mamba2", LayerRole::kRecurrent},
    {"conv", LayerRole::kRecurrent},
    {"hybrid", LayerRole::kBoth},
    {"mlp", LayerRole::kNone},
    {"moe", LayerRole::kNone},
});

// A number that is not zero means `one`.
template <LayerRole kZero, LayerRole kOne>
std::optional<LayerRole> role_of_flag(const Json& flag) {
  if (flag.as_bool() != nullptr) return *flag.as_bool() ? kOne : kZero;
  if (flag.as_integer() == nullptr) return std::nullopt;
  return *flag.as_integer() == 0 ? kZero : kOne;
}

using RoleOf = std::optional<LayerRole> (*)(const Json& item);

// Hands the items of the first layer_count layers to `read`, which says false of one that means
// nothing to it; what a longer list says of layers behind the last belongs to drafts.
void read_items(ConfigFields& fields, std::string_view field, int64_t layer_count,
                const auto& read) {
  const Json* list = fields.find({field});
  const Json::Array* items = list == nullptr ? nullptr : list->as_array();
  if (items == nullptr || std::ssize(*items) < layer_count) {
    fields.fail(field, list == nullptr ? "config field is missing" : kUnusable,
                fmt::format("a list of {} layers", layer_count), list);
    return;
  }
  for (int64_t layer = 0; layer < layer_count; ++layer) {
    const Json& item = (*items)[static_cast<size_t>(layer)];
    if (read(static_cast<size_t>(layer), item)) continue;
    fields.fail(fmt::format("{}[{}]", field, layer), "unknown kind of layer", "one that is known",
                &item);
    return;
  }
}

LayerMix listed(Reading& reading, std::string_view field, int64_t layer_count, RoleOf role_of) {
  LayerMix mix(static_cast<size_t>(layer_count), LayerRole::kFull);
  read_items(reading.fields, field, layer_count, [&](size_t layer, const Json& item) {
    const std::optional<LayerRole> role = role_of(item);
    mix[layer] = role.value_or(LayerRole::kFull);
    return role.has_value();
  });
  return mix;
}

// Makes the mix from a list of layer numbers. `base` is the first layer's number.
LayerMix numbered(Reading& reading, const Json* list, std::string_view field, int64_t layer_count,
                  int64_t base, LayerRole in_list, LayerRole elsewhere) {
  LayerMix mix(static_cast<size_t>(layer_count), elsewhere);
  const Json::Array* items = list == nullptr ? nullptr : list->as_array();
  if (items == nullptr) {
    reading.fields.fail(field, list == nullptr ? "config field is missing" : kUnusable,
                        "a list of layers", list);
    return mix;
  }
  for (const Json& item : *items) {
    const int64_t layer = item.as_integer() == nullptr ? -1 : *item.as_integer() - base;
    if (layer < 0 || layer >= layer_count) {
      reading.fields.fail(field, kUnusable,
                          fmt::format("numbers from {} to {}", base, layer_count - 1 + base),
                          &item);
      return mix;
    }
    mix[static_cast<size_t>(layer)] = in_list;
  }
  return mix;
}

// How many layers a pattern has until it begins again.
int64_t pattern_length(Reading& reading, int64_t layer_count) {
  const ConfigFields::Names kNames = {"sliding_window_pattern", "_sliding_window_pattern",
                                      "full_attention_interval", "global_attn_every_n_layers",
                                      "no_rope_layer_interval"};
  const int64_t absent = reading.defaults.pattern_layers;
  if (absent == 0 && !reading.fields.has(kNames)) {
    reading.fields.fail("layer_types", "config field is missing", "the kind of each layer",
                        nullptr);
    return layer_count;
  }
  return reading.fields.integer_or(kNames, 1, kLayersMax, absent);
}

LayerMix full_every(Reading& reading, int64_t layer_count, LayerRole other) {
  LayerMix mix(static_cast<size_t>(layer_count), other);
  const int64_t length = pattern_length(reading, layer_count);
  for (int64_t layer = length - 1; layer < layer_count; layer += length) {
    mix[static_cast<size_t>(layer)] = LayerRole::kFull;
  }
  return mix;
}

// "LLLG": local and global layers in turn.
LayerMix repeated_letters(Reading& reading, std::string_view field, int64_t layer_count) {
  const std::string letters = reading.fields.text({field});
  LayerMix mix(static_cast<size_t>(layer_count), LayerRole::kWindow);
  if (letters.empty() || letters.find_first_not_of("LG") != std::string::npos) {
    reading.fields.fail(field, kUnusable, "letters L and G", reading.fields.find({field}));
    return mix;
  }
  for (size_t layer = 0; layer < mix.size(); ++layer) {
    if (letters[layer % letters.size()] == 'G') mix[layer] = LayerRole::kFull;
  }
  return mix;
}

LayerMix at_offset(Reading& reading, int64_t layer_count, LayerRole at, LayerRole elsewhere) {
  const int64_t period = reading.fields.integer({"attn_layer_period"}, 1, kLayersMax);
  const int64_t offset = reading.fields.integer({"attn_layer_offset"}, 0, kLayersMax);
  LayerMix mix(static_cast<size_t>(layer_count), elsewhere);
  for (int64_t layer = offset; layer < layer_count; layer += period) {
    mix[static_cast<size_t>(layer)] = at;
  }
  return mix;
}

LayerMix windows_where(int64_t layer_count, const auto& is_window) {
  LayerMix mix(static_cast<size_t>(layer_count), LayerRole::kFull);
  for (int64_t layer = 0; layer < layer_count; ++layer) {
    if (is_window(layer)) mix[static_cast<size_t>(layer)] = LayerRole::kWindow;
  }
  return mix;
}

// A config that says null has no window; one that says nothing has the reference's.
bool has_window(const Reading& reading, ConfigFields::Names names) {
  return reading.fields.has(names) ||
         (reading.defaults.window_tokens != 0 && !reading.fields.mentions("sliding_window"));
}

// Qwen fills sliding_window in whether or not it is used.
bool uses_window(Reading& reading) {
  const int64_t window = reading.fields.integer_or({"sliding_window"}, 0, kTokensMax, 0);
  if (window == 0) return false;
  if (reading.fields.boolean_or({"use_sliding_window"}, false)) return true;
  reading.model.notes.push_back(
      fmt::format("sliding_window {} is not used: use_sliding_window is not true", window));
  return false;
}

bool is_list(const Reading& reading, std::string_view field) {
  const Json* value = reading.fields.find({field});
  return value != nullptr && value->as_array() != nullptr && !value->as_array()->empty();
}

}  // namespace

std::optional<LayerRole> role_of_name(const Json& name) {
  if (name.as_string() == nullptr) return std::nullopt;
  for (const RoleName& one : kRoleNames) {
    if (one.name == *name.as_string()) return one.role;
  }
  return std::nullopt;
}

std::vector<bool> marked_layers(ConfigFields& fields, std::string_view field, int64_t layer_count,
                                const std::function<std::optional<bool>(const Json&)>& is_marked) {
  std::vector<bool> marked(static_cast<size_t>(layer_count));
  read_items(fields, field, layer_count, [&](size_t layer, const Json& item) {
    const std::optional<bool> is_one = is_marked(item);
    marked[layer] = is_one.value_or(false);
    return is_one.has_value();
  });
  return marked;
}

void expect_roles(Reading& reading, const LayerMix& mix, std::initializer_list<LayerRole> known) {
  for (const LayerRole role : mix) {
    if (std::find(known.begin(), known.end(), role) != known.end()) continue;
    reading.fields.fail("layer_types", "unknown kind of layer",
                        "kinds that are known of this architecture",
                        reading.fields.find({"layer_types", "layers_block_type"}));
    return;
  }
}

LayerMix read_mix(Reading& reading, int64_t layer_count) {
  for (const std::string_view field : {"layer_types", "layers_block_type"}) {
    if (reading.fields.has({field})) return listed(reading, field, layer_count, role_of_name);
  }
  return reading.architecture.mix(reading, layer_count);
}

LayerMix all_full(Reading& /*reading*/, int64_t layer_count) {
  return LayerMix(static_cast<size_t>(layer_count), LayerRole::kFull);
}

LayerMix all_recurrent(Reading& reading, int64_t layer_count) {
  // Bamba lists the layers that are not.
  const Json* indices = reading.fields.find({"attn_layer_indices"});
  if (indices != nullptr) {
    return numbered(reading, indices, "attn_layer_indices", layer_count, 0, LayerRole::kFull,
                    LayerRole::kRecurrent);
  }
  return LayerMix(static_cast<size_t>(layer_count), LayerRole::kRecurrent);
}

LayerMix all_both(Reading& /*reading*/, int64_t layer_count) {
  return LayerMix(static_cast<size_t>(layer_count), LayerRole::kBoth);
}

LayerMix window_if_stated(Reading& reading, int64_t layer_count) {
  return LayerMix(static_cast<size_t>(layer_count),
                  has_window(reading, {"sliding_window"}) ? LayerRole::kWindow : LayerRole::kFull);
}

LayerMix window_if_used(Reading& reading, int64_t layer_count) {
  if (!uses_window(reading)) return all_full(reading, layer_count);
  const int64_t first = reading.fields.integer_or({"max_window_layers"}, 0, kLayersMax, 28);
  return windows_where(layer_count, [&](int64_t layer) { return layer >= first; });
}

LayerMix window_everywhere_if_used(Reading& reading, int64_t layer_count) {
  if (!uses_window(reading)) return all_full(reading, layer_count);
  return windows_where(layer_count, [](int64_t) { return true; });
}

LayerMix window_in_turn_if_used(Reading& reading, int64_t layer_count) {
  if (!uses_window(reading)) return all_full(reading, layer_count);
  const int64_t end = reading.fields.integer_or({"max_window_layers"}, 0, kLayersMax, 28);
  return windows_where(layer_count, [&](int64_t layer) { return layer % 2 == 0 && layer < end; });
}

LayerMix window_from_layer(Reading& reading, int64_t layer_count) {
  if (!reading.fields.has({"sliding_window"})) return all_full(reading, layer_count);
  const int64_t first =
      reading.fields.integer_or({"max_window_layers"}, 0, kLayersMax, layer_count);
  return windows_where(layer_count, [&](int64_t layer) { return layer >= first; });
}

LayerMix window_without_rope_if_used(Reading& reading, int64_t layer_count) {
  if (!uses_window(reading)) return all_full(reading, layer_count);
  if (is_list(reading, "no_rope_layers")) {
    return listed(reading, "no_rope_layers", layer_count,
                  role_of_flag<LayerRole::kWindow, LayerRole::kFull>);
  }
  const int64_t period = reading.fields.integer_or({"no_rope_layer_interval"}, 1, kLayersMax, 4);
  return windows_where(layer_count, [&](int64_t layer) { return (layer + 1) % period == 0; });
}

LayerMix full_every_window_and_last(Reading& reading, int64_t layer_count) {
  LayerMix mix = full_every_window(reading, layer_count);
  mix.back() = LayerRole::kFull;
  return mix;
}

LayerMix full_every_window(Reading& reading, int64_t layer_count) {
  constexpr std::string_view kPattern = "sliding_window_pattern";
  if (is_list(reading, kPattern)) {
    return listed(reading, kPattern, layer_count,
                  role_of_flag<LayerRole::kFull, LayerRole::kWindow>);
  }
  if (!has_window(reading, {"sliding_window", "sliding_window_size"})) {
    return all_full(reading, layer_count);
  }
  const Json* pattern = reading.fields.find({kPattern});
  if (pattern != nullptr && pattern->as_string() != nullptr) {
    return repeated_letters(reading, kPattern, layer_count);
  }
  return full_every(reading, layer_count, LayerRole::kWindow);
}

LayerMix full_every_chunk(Reading& reading, int64_t layer_count) {
  // 0 marks a layer without rotary positions: those see everything.
  if (is_list(reading, "no_rope_layers")) {
    return listed(reading, "no_rope_layers", layer_count,
                  role_of_flag<LayerRole::kFull, LayerRole::kChunk>);
  }
  return full_every(reading, layer_count, LayerRole::kChunk);
}

LayerMix full_every_recurrent(Reading& reading, int64_t layer_count) {
  return full_every(reading, layer_count, LayerRole::kRecurrent);
}

LayerMix full_at_offset(Reading& reading, int64_t layer_count) {
  return at_offset(reading, layer_count, LayerRole::kFull, LayerRole::kRecurrent);
}

LayerMix both_at_offset(Reading& reading, int64_t layer_count) {
  // The pattern begins behind the first three layers, of which the third has both.
  constexpr int64_t kFirst = 3;
  LayerMix mix = {LayerRole::kRecurrent, LayerRole::kRecurrent, LayerRole::kBoth};
  const LayerMix rest = at_offset(reading, std::max<int64_t>(0, layer_count - kFirst),
                                  LayerRole::kBoth, LayerRole::kRecurrent);
  mix.insert(mix.end(), rest.begin(), rest.end());
  mix.resize(static_cast<size_t>(layer_count));
  return mix;
}

LayerMix hybrid_layer_pattern(Reading& reading, int64_t layer_count) {
  return listed(reading, "hybrid_layer_pattern", layer_count,
                role_of_flag<LayerRole::kFull, LayerRole::kWindow>);
}

LayerMix hybrid_override_pattern(Reading& reading, int64_t layer_count) {
  const std::string letters = reading.fields.text({"hybrid_override_pattern"});
  LayerMix mix(static_cast<size_t>(layer_count), LayerRole::kNone);
  constexpr std::string_view kKnown = "M*-E";
  if (std::ssize(letters) != layer_count ||
      letters.find_first_not_of(kKnown) != std::string::npos) {
    reading.fields.fail("hybrid_override_pattern", kUnusable,
                        fmt::format("{} letters of {}", layer_count, kKnown),
                        reading.fields.find({"hybrid_override_pattern"}));
    return mix;
  }
  for (size_t layer = 0; layer < mix.size(); ++layer) {
    if (letters[layer] == 'M') mix[layer] = LayerRole::kRecurrent;
    if (letters[layer] == '*') mix[layer] = LayerRole::kFull;
  }
  return mix;
}

LayerMix hybrid_layer_ids(Reading& reading, int64_t layer_count) {
  return numbered(reading, reading.fields.find({"hybrid_layer_ids"}), "hybrid_layer_ids",
                  layer_count, 0, LayerRole::kBoth, LayerRole::kRecurrent);
}

LayerMix linear_attn_lists(Reading& reading, int64_t layer_count) {
  constexpr std::string_view kField = "linear_attn_config.full_attn_layers";
  const Json* config = reading.fields.find({"linear_attn_config"});
  const Json* list = config == nullptr ? nullptr : config->find("full_attn_layers");
  return numbered(reading, list, kField, layer_count, 1, LayerRole::kFull, LayerRole::kRecurrent);
}

LayerMix attn_type_list(Reading& reading, int64_t layer_count) {
  return listed(reading, "attn_type_list", layer_count,
                role_of_flag<LayerRole::kRecurrent, LayerRole::kFull>);
}

LayerMix attention_layers(Reading& reading, int64_t layer_count) {
  if (is_list(reading, "attention_layers")) {
    return listed(reading, "attention_layers", layer_count, role_of_name);
  }
  // [[["global", "local"], 12]]: a pattern and how often it comes.
  LayerMix mix;
  const Json* types = reading.fields.find({"attention_types"});
  const Json::Array* groups = types == nullptr ? nullptr : types->as_array();
  const Json::Array no_groups;
  for (const Json& group : groups == nullptr ? no_groups : *groups) {
    const Json::Array* pair = group.as_array();
    if (pair == nullptr || pair->size() != 2 || (*pair)[0].as_array() == nullptr ||
        (*pair)[1].as_integer() == nullptr) {
      break;
    }
    for (int64_t i = 0; i < *(*pair)[1].as_integer() && std::ssize(mix) < layer_count; ++i) {
      if ((*pair)[0].as_array()->empty()) break;
      for (const Json& name : *(*pair)[0].as_array()) {
        const std::optional<LayerRole> role = role_of_name(name);
        if (!role) {
          reading.fields.fail("attention_types", "unknown kind of layer", "global or local", &name);
        }
        mix.push_back(role.value_or(LayerRole::kFull));
      }
    }
  }
  if (std::ssize(mix) != layer_count) {
    reading.fields.fail("attention_types", types == nullptr ? "config field is missing" : kUnusable,
                        fmt::format("the kinds of {} layers", layer_count), types);
  }
  mix.resize(static_cast<size_t>(layer_count), LayerRole::kFull);
  return mix;
}

LayerMix block_types(Reading& reading, int64_t layer_count) {
  LayerMix mix(static_cast<size_t>(layer_count), LayerRole::kRecurrent);
  const Json* list = reading.fields.find({"block_types", "_block_types"});
  const Json::Array* items = list == nullptr ? nullptr : list->as_array();
  if (items == nullptr || items->empty()) {
    reading.fields.fail("block_types", "config field is missing", "a list", list);
    return mix;
  }
  for (size_t layer = 0; layer < mix.size(); ++layer) {
    const Json& item = (*items)[layer % items->size()];
    const std::optional<LayerRole> role = role_of_name(item);
    if (!role) {
      reading.fields.fail("block_types", "unknown kind of layer", "recurrent or attention", &item);
      return mix;
    }
    // All of Griffin's attention is local.
    mix[layer] = *role == LayerRole::kFull ? LayerRole::kWindow : *role;
  }
  return mix;
}

LayerMix full_attn_idxs(Reading& reading, int64_t layer_count) {
  return numbered(reading, reading.fields.find({"full_attn_idxs"}), "full_attn_idxs", layer_count,
                  0, LayerRole::kFull, LayerRole::kRecurrent);
}

LayerMix full_but_cross_attention(Reading& reading, int64_t layer_count) {
  const Json* list = reading.fields.find({"cross_attention_layers"});
  LayerMix mix = numbered(reading, list, "cross_attention_layers", layer_count, 0, LayerRole::kNone,
                          LayerRole::kFull);
  reading.model.notes.push_back(
      fmt::format("{} layers attend to images; what they keep of those is not counted",
                  std::count(mix.begin(), mix.end(), LayerRole::kNone)));
  return mix;
}

}  // namespace kvasir::plan
