#include "checkpoint/cache_wish.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace kvasir {
namespace {

std::string text_in(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  if (value == nullptr || value->as_string() == nullptr) return "";
  std::string text = *value->as_string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

int64_t number_in(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr || value->as_integer() == nullptr ? 0 : *value->as_integer();
}

// "FP8", "fp8_e4m3", "int8", "NVFP4". A scale for a whole tensor takes no room to speak of: bytes
// are bytes.
std::string precision_of_name(const std::string& name) {
  if (name.starts_with("fp8") || name.starts_with("float8") || name == "int8") return "fp8";
  if (name == "nvfp4") return "nvfp4";
  if (name == "mxfp4") return "mxfp4";
  return "";
}

// No wish: as the model computes.
bool is_plain(const std::string& name) {
  constexpr std::string_view kPlain[] = {"",        "none",    "null",     "auto", "no_quant",
                                         "float16", "float32", "bfloat16", "bf16", "fp16"};
  return std::find(std::begin(kPlain), std::end(kPlain), name) != std::end(kPlain);
}

// As compressed-tensors describes it: bits, type, and what has a scale.
std::string precision_of_scheme(const Json& scheme) {
  const int64_t bits = number_in(scheme, "num_bits");
  const int64_t group = number_in(scheme, "group_size");
  const std::string strategy = text_in(scheme, "strategy");
  const bool is_float = text_in(scheme, "type") == "float";
  const bool is_in_groups = group > 0 || strategy.ends_with("group") || strategy == "block";
  if (bits == 8 && !is_in_groups) {
    if (strategy != "token") return "fp8";
    return is_float ? "fp8-token" : "int8-token";
  }
  if (bits == 4 && is_float && is_in_groups) return group == 32 ? "mxfp4" : "nvfp4";
  return "";
}

bool is_e4m3_name(const std::string& name) {
  return name == "fp8" || name == "fp8_e4m3" || name == "float8_e4m3fn";
}

bool is_true(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->as_bool() != nullptr && *value->as_bool();
}

// A scheme of eight bits in floats, with one scale that was measured beforehand.
bool is_e4m3_scheme(const Json& scheme) {
  const std::string strategy = text_in(scheme, "strategy");
  return number_in(scheme, "num_bits") == 8 && text_in(scheme, "type") == "float" &&
         (strategy.empty() || strategy == "tensor") && !is_true(scheme, "dynamic");
}

std::optional<CacheWish> wish_of_scheme(const Json& scheme) {
  constexpr const char* kWhere = "kv_cache_scheme";
  if (scheme.as_object() == nullptr) {
    // "static": eight bits, the only form that its writers had.
    const std::string name = scheme.as_string() == nullptr ? "" : *scheme.as_string();
    if (is_plain(name)) return std::nullopt;
    if (name == "static") return CacheWish{kWhere, name, "fp8", true};
    return CacheWish{kWhere, name, precision_of_name(name), is_e4m3_name(name)};
  }
  if (number_in(scheme, "num_bits") >= 16) return std::nullopt;
  const std::string precision = precision_of_scheme(scheme);
  const std::string words =
      precision.empty()
          ? scheme.dump()
          : fmt::format("{}-bit {}", number_in(scheme, "num_bits"), text_in(scheme, "type"));
  return CacheWish{kWhere, words, precision, precision == "fp8" && is_e4m3_scheme(scheme)};
}

std::optional<CacheWish> wish_of_name(const Json& object, const char* field) {
  const std::string name = text_in(object, field);
  if (is_plain(name)) return std::nullopt;
  return CacheWish{field, name, precision_of_name(name), is_e4m3_name(name)};
}

// Quark says in which layers' outputs the cache is, and the format beside those layers.
std::optional<CacheWish> wish_of_quark(const Json& object) {
  const Json* exported = object.find("export");
  const Json* group = exported == nullptr ? nullptr : exported->find("kv_cache_group");
  const bool is_asked = group != nullptr && group->as_array() != nullptr;
  if (!is_asked || group->as_array()->empty()) return std::nullopt;
  for (const char* field : {"kv_cache_quant_config", "layer_quant_config"}) {
    const Json* layers = object.find(field);
    if (layers == nullptr || layers->as_object() == nullptr) continue;
    for (const auto& [pattern, layer] : *layers->as_object()) {
      const Json* outputs = layer.find("output_tensors");
      if (outputs == nullptr) continue;
      if (auto wish = wish_of_name(*outputs, "dtype")) return wish;
    }
  }
  return CacheWish{"export.kv_cache_group", group->dump(), ""};
}

std::optional<CacheWish> wish_in(const Json& object) {
  if (const Json* scheme = object.find("kv_cache_scheme")) {
    if (auto wish = wish_of_scheme(*scheme)) return wish;
  }
  for (const char* field : {"kv_cache_quant_algo", "kv_cache_dtype", "kv_cache_quant_method"}) {
    if (auto wish = wish_of_name(object, field)) return wish;
  }
  return wish_of_quark(object);
}

}  // namespace

std::optional<CacheWish> find_cache_wish(const Json& place) {
  for (const char* field : {"quantization_config", "compression_config", "quantization"}) {
    const Json* object = place.find(field);
    if (object == nullptr) continue;
    if (auto wish = wish_in(*object)) return wish;
  }
  return wish_in(place);
}

}  // namespace kvasir
