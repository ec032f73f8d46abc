#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "checkpoint/config_source.h"
#include "checkpoint/context_limit.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/geometry.h"
#include "plan/cache_format.h"
#include "plan/model_of_json.h"
#include "plan/own_cache.h"
#include "plan/readers.h"
#include "plan/text_model.h"

namespace kvasir::plan {
namespace {

constexpr uint64_t kConfigBytesMax = uint64_t{16} << 20;

int64_t value_bytes_of(const Json& root, const Json& object) {
  for (const Json* place : {&object, &root}) {
    for (const std::string_view name : {"dtype", "torch_dtype"}) {
      const std::string* type = text_of(*place, name);
      if (type != nullptr) return *type == "float32" ? 4 : 2;
    }
  }
  return 2;
}

// The model whose cache Kvasir lays out itself.
void read_own(const Json& object, std::string_view where, Reading& reading) {
  using model::deepseek_v4::DraftLayers;
  auto config = model::deepseek_v4::read_cache_config(object, where, DraftLayers::kLeftOut);
  auto with_draft = model::deepseek_v4::read_cache_config(object, where, DraftLayers::kAppended);
  if (!config.ok() || !with_draft.ok()) {
    reading.fields.fail(config.ok() ? with_draft.error() : config.error());
    return;
  }
  reading.model.layer_count = config->layer_count;
  auto spec = model::deepseek_v4::cache_spec(*with_draft, "native");
  KVASIR_CHECK(spec.ok(), "a precision that every such model has");
  reading.cache = std::move(*spec);
  for (size_t i = config->layers.size(); i < reading.cache.layers.size(); ++i) {
    reading.cache.layers[i].is_draft = true;
  }
  if (auto whole = model::deepseek_v4::read_config(object, where); whole.ok()) {
    config = std::move(whole);
    reading.model.runs_here = true;
  }
  reading.model.own = std::make_shared<const OwnCache>(OwnCache{*config, *with_draft});
}

void read_layers(Reading& reading) {
  const int64_t layer_count = read_layer_count(reading);
  if (reading.fields.error()) return;
  reading.model.layer_count = layer_count;
  const LayerMix mix = read_mix(reading, layer_count);
  if (reading.fields.error()) return;
  reading.cache.layers.resize(mix.size());
  reading.architecture.attention(reading, mix);
  const auto is_recurrent = [](LayerRole role) {
    return role == LayerRole::kRecurrent || role == LayerRole::kBoth;
  };
  if (std::none_of(mix.begin(), mix.end(), is_recurrent)) return;
  if (reading.architecture.recurrence == nullptr) {
    reading.fields.fail("layer_types", "unknown kind of layer",
                        "attention layers, as this architecture is known",
                        reading.fields.find({"layer_types"}));
    return;
  }
  const std::vector<kv::State> states = reading.architecture.recurrence(reading);
  for (size_t layer = 0; layer < mix.size(); ++layer) {
    if (is_recurrent(mix[layer])) reading.cache.layers[layer].states = states;
  }
}

void read_context_limit(Reading& reading) {
  const ConfigFields::Names names = {"max_position_embeddings",
                                     "n_positions",
                                     "max_sequence_length",
                                     "model_max_length",
                                     "seq_length",
                                     "max_seq_len",
                                     "n_ctx"};
  // Python's largest numbers, which tokenizers write for "no limit", are none either.
  const Json* value = reading.fields.find(names);
  const bool is_endless = value != nullptr && value->as_integer() == nullptr;
  const int64_t stated =
      is_endless ? 0
                 : reading.fields.integer_or(names, 0, kTokensMax, reading.defaults.context_tokens);
  reading.model.context_tokens_max = stated;
  if (value == nullptr && stated != 0) {
    reading.model.notes.push_back(
        fmt::format("the config leaves its limit out: {} tokens are the reference's", stated));
  }
  if (reading.defaults.states_scaled_context) return;
  const ContextLimit limit = context_limit(reading.fields, stated);
  reading.model.context_tokens_max = limit.tokens;
  if (limit.scaling.empty()) return;
  reading.model.notes.push_back(fmt::format("the limit of {} tokens is that of RoPE scaling: {}",
                                            limit.tokens, limit.scaling));
}

Error unknown_architecture(const TextModel& found, std::string_view where) {
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "unknown architecture",
               .field = "model",
               .where = found.prefix.empty() ? std::string(where)
                                             : fmt::format("{}: {}model_type", where, found.prefix),
               .expected = fmt::format("one of {} that are known", known_architectures().size()),
               .found = found.model_type.empty() ? "no model_type" : found.model_type};
}

}  // namespace

Result<CacheModel> model_of_json(const Json& root, std::string_view where) {
  const TextModel found = find_text_model(root);
  const Architecture* architecture = found.known.row;
  if (architecture == nullptr) return unknown_architecture(found, where);
  CacheModel model{.architecture = found.model_type, .source = std::string(where)};
  model.value_bytes = value_bytes_of(root, *found.object);
  ConfigFields fields(*found.object, where, found.prefix);
  kv::CacheSpec cache;
  Reading reading{fields, *architecture, defaults_of(*architecture, found.known.model_type), model,
                  cache};
  read_context_limit(reading);
  if (architecture->mix == nullptr) {
    read_own(*found.object, where, reading);
  } else {
    read_layers(reading);
  }
  model.holds_latents_in_fp8 = architecture->holds_latents_in_fp8;
  if (fields.error()) return *fields.error();
  model.cache = std::make_shared<const kv::CacheSpec>(std::move(cache));
  if (!read_cache_format(*found.object, model) && found.object != &root) {
    read_cache_format(root, model);
  }
  return model;
}

Result<ConfigSource> parse_config(std::string_view text, std::string_view where) {
  if (text.size() > kConfigBytesMax) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "too large for a config, and no GGUF file",
                 .where = std::string(where),
                 .expected = fmt::format("at most {} bytes of JSON", kConfigBytesMax),
                 .found = std::to_string(text.size())};
  }
  return ConfigSource::parse(text, where);
}

Result<CacheModel> model_of_config(std::string_view text, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource config, parse_config(text, where));
  return model_of_json(config.root(), where);
}

}  // namespace kvasir::plan
