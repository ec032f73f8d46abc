#include "checkpoint/context_limit.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace kvasir {
namespace {

constexpr std::string_view kOriginal = "original_max_position_embeddings";

// 0: not there, or no number above zero.
double number_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  if (value == nullptr) return 0;
  double number = 0;
  if (value->as_double() != nullptr) number = *value->as_double();
  if (value->as_integer() != nullptr) number = static_cast<double>(*value->as_integer());
  return std::max(number, 0.0);
}

std::string type_of(const Json& scaling) {
  for (const std::string_view name : {"rope_type", "type"}) {
    const Json* type = scaling.find(name);
    if (type != nullptr && type->as_string() != nullptr) return *type->as_string();
  }
  return "default";
}

bool is_one_of(std::string_view type, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

// One entry: of all layers, or of those of one type.
ContextLimit scaled(const Json& entry, double outer_original, int64_t stated) {
  const ContextLimit as_stated{.tokens = stated};
  const std::string type = type_of(entry);
  const double factor = number_of(entry, "factor");
  if (factor <= 1 || is_one_of(type, {"default", "llama3"})) return as_stated;
  const double own_original = number_of(entry, kOriginal);
  const double original = own_original != 0 ? own_original : outer_original;
  const double base = original != 0 ? original : static_cast<double>(stated);
  if (static_cast<double>(stated) < original && stated != 0) return as_stated;
  if (is_one_of(type, {"longrope", "su"}) && stated != 0) return as_stated;
  const double tokens = std::min(base * factor, static_cast<double>(kContextLimitMax));
  // Only YaRN's factor stands above what the config states beside it.
  const bool is_yarn = type.ends_with("yarn");
  if (tokens < 1 || (!is_yarn && tokens <= static_cast<double>(stated))) return as_stated;
  if (static_cast<int64_t>(tokens) == stated) return as_stated;
  return {.tokens = static_cast<int64_t>(tokens),
          .scaling = fmt::format("{}, {} times {}", type, factor, base)};
}

}  // namespace

ContextLimit context_limit(const ConfigFields& fields, int64_t stated) {
  const Json* scaling = nullptr;
  for (const std::string_view name : {"rope_scaling", "rope_parameters"}) {
    const Json* found = fields.find({name});
    const bool is_used = found != nullptr && found->as_object() != nullptr;
    if (scaling == nullptr && is_used && !found->as_object()->empty()) scaling = found;
  }
  if (scaling == nullptr) return {.tokens = stated};
  const Json* outer = fields.find({kOriginal});
  const double original = outer == nullptr || outer->as_integer() == nullptr
                              ? 0
                              : std::max<double>(0, static_cast<double>(*outer->as_integer()));
  ContextLimit limit = scaled(*scaling, original, stated);
  // By type of layer: those that see farthest say how far it goes.
  for (const auto& [type, entry] : *scaling->as_object()) {
    if (entry.as_object() == nullptr) continue;
    const ContextLimit one = scaled(entry, original, stated);
    if (!one.scaling.empty() && (limit.scaling.empty() || one.tokens > limit.tokens)) limit = one;
  }
  return limit;
}

}  // namespace kvasir
