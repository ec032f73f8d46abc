#include "model/decoder/text_config.h"

#include <utility>

#include "checkpoint/nested_config.h"

namespace kvasir::model::decoder {
namespace {

struct Size {
  std::string_view name;
  int64_t value = 0;  // 0: there is none
};

// What a wrapped config leaves out is what the reference's config class says.
struct Defaults {
  std::string_view type;
  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t mlp_width = 0;
  int64_t context = 0;
  int64_t window = 0;
};

constexpr Defaults kDefaults[] = {
    {"llama", 32000, 4096, 32, 32, 0, 11008, 2048, 0},
    {"mistral", 32000, 4096, 32, 32, 8, 14336, 131072, 4096},
    {"qwen2", 151936, 4096, 32, 32, 32, 22016, 32768, 0},
    {"qwen3", 151936, 4096, 32, 32, 32, 22016, 32768, 0},
    {"gemma", 256000, 3072, 28, 16, 16, 24576, 8192, 0},
    {"gemma2", 256000, 2304, 26, 8, 4, 9216, 8192, 4096},
    {"gemma3_text", 262208, 2304, 26, 8, 4, 9216, 131072, 4096},
};

// One that stands there as null is said.
void add_missing(Json::Object& object, const Json& said, std::string_view name, const Json& value) {
  if (said.find(name) == nullptr) object.emplace_back(name, value);
}

void add_defaults(std::string_view type, const Json& said, Json::Object& object) {
  for (const Defaults& row : kDefaults) {
    if (row.type != type) continue;
    for (const auto& [name, value] : {Size{"vocab_size", row.vocab},
                                      {"hidden_size", row.hidden},
                                      {"num_hidden_layers", row.layers},
                                      {"num_attention_heads", row.heads},
                                      {"num_key_value_heads", row.kv_heads},
                                      {"intermediate_size", row.mlp_width},
                                      {"max_position_embeddings", row.context},
                                      {"sliding_window", row.window}}) {
      if (value != 0) add_missing(object, said, name, Json(value));
    }
  }
}

// Its own fields, then what may stand beside it, then defaults.
Json standing_alone(const NestedConfig& nested, std::string_view type) {
  const Json& inner = *nested.chain.back();
  Json::Object object = *inner.as_object();
  for (const char* name : {"tie_word_embeddings", "bos_token_id", "eos_token_id"}) {
    const Json* outer = nested.chain.front()->find(name);
    if (outer != nullptr) add_missing(object, inner, name, *outer);
  }
  add_defaults(type, inner, object);
  return Json(std::move(object));
}

// Returns the known type that the object states, or whose text part it is.
std::string_view type_of(const Json& object, std::string_view (*known)(std::string_view)) {
  const Json* type = object.find("model_type");
  if (type == nullptr || type->as_string() == nullptr) return "";
  const std::string_view found = known(*type->as_string());
  return found.empty() ? known(*type->as_string() + "_text") : found;
}

// Its prompts are read in both directions.
bool is_not_causal(const Json& root) {
  const Json* type = root.find("model_type");
  return type != nullptr && type->as_string() != nullptr && *type->as_string() == "paligemma";
}

}  // namespace

std::optional<TextConfig> find_text_config(const Json& root,
                                           std::string_view (*known)(std::string_view)) {
  if (is_not_causal(root)) return std::nullopt;
  const NestedConfig nested = find_nested_config(root);
  const Json& inner = *nested.chain.back();
  if (inner.as_object() == nullptr) return std::nullopt;
  // The innermost part that states a type counts.
  for (auto part = nested.chain.rbegin(); part != nested.chain.rend(); ++part) {
    if ((*part)->find("model_type") == nullptr) continue;
    const std::string_view type = type_of(**part, known);
    if (type.empty()) return std::nullopt;
    const bool is_wrapped = nested.chain.size() > 1;
    return TextConfig{.object = is_wrapped ? standing_alone(nested, type) : inner,
                      .prefix = nested.prefix,
                      .type = type};
  }
  return std::nullopt;
}

}  // namespace kvasir::model::decoder
