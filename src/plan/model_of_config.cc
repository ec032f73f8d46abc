#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "model/deepseek_v4/config.h"
#include "plan/model_of_json.h"
#include "plan/readers.h"

namespace kvasir::plan {
namespace {

constexpr uint64_t kConfigBytesMax = uint64_t{16} << 20;
constexpr std::array<std::string_view, 4> kNestings = {"text_config", "llm_config",
                                                       "language_config", "thinker_config"};

const std::string* text_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value == nullptr ? nullptr : value->as_string();
}

// Not an empty object beside flat fields.
bool describes_a_model(const Json& object) {
  constexpr std::array<std::string_view, 4> kSigns = {"model_type", "architectures",
                                                      "num_hidden_layers", "text_config"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view name) { return object.find(name) != nullptr; });
}

struct Found {
  const Json* object = nullptr;  // that describes the text model
  std::string prefix;            // of its fields in messages
  std::string_view model_type;
  const Architecture* architecture = nullptr;
};

void look_up(const Json& object, Found& found) {
  if (found.architecture != nullptr) return;
  if (const std::string* type = text_of(object, "model_type")) {
    found.architecture = find_architecture(*type);
    // Of a model with several parts the config's name is that of the whole.
    if (found.architecture == nullptr) found.architecture = find_architecture(*type + "_text");
    if (found.architecture != nullptr || found.model_type.empty()) found.model_type = *type;
  }
  const Json* classes = object.find("architectures");
  if (classes == nullptr || classes->as_array() == nullptr) return;
  for (const Json& name : *classes->as_array()) {
    if (name.as_string() == nullptr || found.architecture != nullptr) continue;
    found.architecture = find_architecture_of_class(*name.as_string());
    if (found.architecture != nullptr || found.model_type.empty()) {
      found.model_type = *name.as_string();
    }
  }
}

Found find_text_model(const Json& root) {
  Found found{.object = &root};
  for (int depth = 0; depth < 2; ++depth) {
    for (const std::string_view name : kNestings) {
      const Json* nested = found.object->find(name);
      if (nested == nullptr || !describes_a_model(*nested)) continue;
      found.object = nested;
      found.prefix += std::string(name) + ".";
      break;
    }
  }
  look_up(*found.object, found);
  look_up(root, found);
  return found;
}

// Python writes numbers that JSON does not have; none of them is a size.
std::string without_infinities(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  bool is_quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') is_quoted = !is_quoted;
    if (is_quoted && text[at] == '\\' && at + 1 < text.size()) plain += text[at++];
    const std::string_view rest = text.substr(at);
    size_t length = 0;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (!is_quoted && length == 0 && rest.starts_with(word)) length = word.size();
    }
    if (length > 0) {
      plain += "null";
      at += length - 1;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

int64_t value_bytes_of(const Json& root, const Json& object) {
  for (const Json* place : {&object, &root}) {
    for (const std::string_view name : {"dtype", "torch_dtype"}) {
      const std::string* type = text_of(*place, name);
      if (type != nullptr) return *type == "float32" ? 4 : 2;
    }
  }
  return 2;
}

void read_deepseek_v4(const Json& object, std::string_view where, Reading& reading) {
  using model::deepseek_v4::Config;
  using model::deepseek_v4::DraftLayers;
  auto config = model::deepseek_v4::read_cache_config(object, where, DraftLayers::kLeftOut);
  auto with_draft = model::deepseek_v4::read_cache_config(object, where, DraftLayers::kAppended);
  if (!config.ok() || !with_draft.ok()) {
    reading.fields.fail(config.ok() ? with_draft.error() : config.error());
    return;
  }
  reading.model.layer_count = config->layer_count;
  if (auto whole = model::deepseek_v4::read_config(object, where); whole.ok()) {
    config = std::move(whole);
    reading.model.runs_here = true;
  }
  reading.model.deepseek_v4 = std::make_shared<const Config>(*config);
  reading.model.deepseek_v4_with_draft = std::make_shared<const Config>(*with_draft);
}

void read_layers(Reading& reading) {
  const int64_t layer_count = read_layer_count(reading);
  if (reading.fields.error()) return;
  reading.model.layer_count = layer_count;
  const LayerMix mix = read_mix(reading, layer_count);
  if (reading.fields.error()) return;
  reading.architecture.attention(reading, mix);
  const int64_t recurrent_count = std::count_if(mix.begin(), mix.end(), [](LayerRole role) {
    return role == LayerRole::kRecurrent || role == LayerRole::kBoth;
  });
  if (recurrent_count == 0) return;
  if (reading.architecture.recurrence == nullptr) {
    reading.fields.fail("layer_types", "unknown kind of layer",
                        "attention layers, as this architecture is known",
                        reading.fields.find({"layer_types"}));
    return;
  }
  reading.architecture.recurrence(reading, recurrent_count);
}

}  // namespace

Result<CacheModel> model_of_json(const Json& root, std::string_view where) {
  if (root.as_object() == nullptr) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "config is malformed",
                 .where = std::string(where),
                 .expected = "a JSON object"};
  }
  const Found found = find_text_model(root);
  if (found.architecture == nullptr) {
    return Error{
        .kind = ErrorKind::kUnsupported,
        .what = "unknown architecture",
        .field = "model",
        .where = std::string(where),
        .expected = fmt::format("one of {} that are known", known_architectures().size()),
        .found = std::string(found.model_type.empty() ? "no model_type" : found.model_type)};
  }
  CacheModel model{.architecture = std::string(found.model_type), .source = std::string(where)};
  model.value_bytes = value_bytes_of(root, *found.object);
  ConfigFields fields(*found.object, where, found.prefix);
  Reading reading{fields, *found.architecture, model};
  model.context_tokens_max =
      fields.integer_or({"max_position_embeddings", "n_positions", "max_sequence_length",
                         "model_max_length", "seq_length", "max_seq_len", "n_ctx"},
                        0, kTokensMax, 0);
  if (found.architecture->mix == nullptr) {
    read_deepseek_v4(*found.object, where, reading);
  } else {
    read_layers(reading);
  }
  model.holds_latents_in_fp8 = found.architecture->holds_latents_in_fp8;
  if (fields.error()) return *fields.error();
  return model;
}

Result<CacheModel> model_of_config(std::string_view text, std::string_view where) {
  if (text.size() > kConfigBytesMax) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "too large for a config, and no GGUF file",
                 .where = std::string(where),
                 .expected = fmt::format("at most {} bytes of JSON", kConfigBytesMax),
                 .found = std::to_string(text.size())};
  }
  KVASIR_ASSIGN_OR_RETURN(
      const Json root,
      Json::parse(without_infinities(text), where, JsonLimits{.text_bytes_max = kConfigBytesMax}));
  return model_of_json(root, where);
}

}  // namespace kvasir::plan
