#include "checkpoint/nested_config.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace kvasir {
namespace {

constexpr size_t kDepthMax = 4;
constexpr std::array kNestings = std::to_array<std::string_view>(
    {"text_config", "llm_config", "language_config", "thinker_config", "language_model_config",
     "text_model_config", "lm_config", "llm_cfg"});
constexpr std::array kLayerCounts = std::to_array<std::string_view>(
    {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "layer_types"});

bool has_any(const Json& object, const auto& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return object.find(name) != nullptr; });
}

// Not some fields of little weight beside a flat config.
bool describes_a_model(const Json& object, const Json& outer) {
  constexpr std::array kSigns =
      std::to_array<std::string_view>({"model_type", "architectures", "num_hidden_layers"});
  if (object.as_object()->empty()) return false;
  return has_any(object, kSigns) || has_any(object, kNestings) || !has_any(outer, kLayerCounts);
}

// Null: it wraps nothing. What stands under the name of a text model and is no object is not passed
// over.
const Json* nested_in(const Json& object, std::string& prefix) {
  for (const std::string_view name : kNestings) {
    const Json* nested = object.find(name);
    const bool is_there = nested != nullptr && !nested->is_null();
    const bool is_object = is_there && nested->as_object() != nullptr;
    if (!is_there || (is_object && !describes_a_model(*nested, object))) continue;
    prefix += std::string(name) + ".";
    return nested;
  }
  return nullptr;
}

}  // namespace

NestedConfig find_nested_config(const Json& root) {
  NestedConfig found{.chain = {&root}, .prefix = ""};
  while (found.chain.size() <= kDepthMax) {
    const Json* nested = nested_in(*found.chain.back(), found.prefix);
    if (nested == nullptr) break;
    found.chain.push_back(nested);
  }
  return found;
}

}  // namespace kvasir
