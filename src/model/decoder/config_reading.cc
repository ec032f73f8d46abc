#include "model/decoder/config_reading.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "checkpoint/context_limit.h"

namespace kvasir::model::decoder {
namespace {

struct NamedActivation {
  std::string_view name;
  kernels::Activation activation;
};

constexpr NamedActivation kActivations[] = {
    {"silu", kernels::Activation::kSilu},
    {"swish", kernels::Activation::kSilu},
    {"gelu", kernels::Activation::kGelu},
    {"gelu_new", kernels::Activation::kGeluTanh},
    {"gelu_pytorch_tanh", kernels::Activation::kGeluTanh},
    {"relu", kernels::Activation::kRelu},
};

void read_counts(Reading& reading, ConfigFields::Names hidden, ConfigFields::Names layers,
                 ConfigFields::Names heads) {
  ConfigFields& fields = reading.fields;
  Config& config = reading.config;
  config.vocab_size = fields.integer({"vocab_size"}, 1, kVocabMax);
  config.hidden_size = fields.integer(hidden, 1, kWidthMax);
  config.layer_count = fields.integer(layers, 1, kLayersMax);
  config.head_count = fields.integer(heads, 1, kHeadsMax);
}

void check_heads(Reading& reading) {
  const Config& config = reading.config;
  if (config.head_count % config.kv_head_count == 0) return;
  reading.fields.fail("num_key_value_heads", "config field is unusable",
                      "a divisor of " + std::to_string(config.head_count),
                      reading.fields.find({"num_key_value_heads", "num_kv_heads"}));
}

}  // namespace

void read_sizes(Reading& reading) {
  read_counts(reading, {"hidden_size"}, {"num_hidden_layers"}, {"num_attention_heads"});
  Config& config = reading.config;
  config.kv_head_count =
      reading.fields.integer_or({"num_key_value_heads"}, 1, kHeadsMax, config.head_count);
  check_heads(reading);
  config.context_tokens_max =
      context_limit(reading.fields,
                    reading.fields.integer_or({"max_position_embeddings"}, 1, kTokensMax, 0))
          .tokens;
}

void read_sizes_of_gpt2(Reading& reading) {
  read_counts(reading, {"n_embd"}, {"n_layer"}, {"n_head"});
  Config& config = reading.config;
  config.kv_head_count = config.head_count;
  config.position_count = reading.fields.integer({"n_positions"}, 1, kVocabMax);
  config.context_tokens_max = config.position_count;
}

void read_head_dim(Reading& reading, int64_t absent) {
  Config& config = reading.config;
  config.head_dim = reading.fields.integer_or({"head_dim"}, 1, kWidthMax, absent);
  if (config.head_dim == 0) {
    if (config.hidden_size % config.head_count != 0) {
      reading.fields.fail("head_dim", "config field is missing",
                          "it, as the heads do not divide hidden_size", nullptr);
    }
    config.head_dim = std::max<int64_t>(1, config.hidden_size / config.head_count);
  }
  config.value_dim = config.head_dim;
  config.score_scale = 1 / std::sqrt(static_cast<double>(config.head_dim));
}

void read_norm_eps(Reading& reading, ConfigFields::Names names, double absent) {
  reading.config.norm_eps = reading.fields.real_or(names, 1e-30, 1, absent);
}

void read_activation(Reading& reading, ConfigFields::Names names, std::string_view absent) {
  const std::string name = reading.fields.text_or(names, std::string(absent));
  for (const NamedActivation& known : kActivations) {
    if (known.name != name) continue;
    reading.config.activation = known.activation;
    return;
  }
  reading.fields.fail(*names.begin(), "config asks for what is not supported",
                      "silu, gelu, gelu_new, gelu_pytorch_tanh or relu",
                      reading.fields.find(names));
}

void read_tied_output(Reading& reading, bool absent) {
  reading.config.ties_output = reading.fields.boolean_or({"tie_word_embeddings"}, absent);
}

void read_token_ids(Reading& reading) {
  Config& config = reading.config;
  config.bos_token_id = reading.fields.integer_or({"bos_token_id"}, -1, kVocabMax, -1);
  const Json* eos = reading.fields.find({"eos_token_id"});
  if (eos == nullptr) return;
  if (eos->as_integer() != nullptr) config.eos_token_ids = {*eos->as_integer()};
  if (eos->as_array() == nullptr) return;
  for (const Json& id : *eos->as_array()) {
    if (id.as_integer() != nullptr) config.eos_token_ids.push_back(*id.as_integer());
  }
}

void read_plain_layers(Reading& reading) {
  const int64_t width = reading.fields.integer_or({"intermediate_size"}, 1, kWidthMax, 0);
  reading.config.layers.assign(static_cast<size_t>(reading.config.layer_count),
                               {.mlp_width = width});
}

void read_windows(Reading& reading, bool (*is_windowed)(int64_t layer)) {
  Config& config = reading.config;
  const int64_t window = reading.fields.integer_or({"sliding_window"}, 0, kTokensMax, 0);
  const Json* types = reading.fields.find({"layer_types"});
  if (types == nullptr) {
    for (int64_t layer = 0; window != 0 && layer < config.layer_count; ++layer) {
      if (is_windowed(layer)) config.layers[static_cast<size_t>(layer)].window_tokens = window;
    }
    return;
  }
  const auto refuse = [&](const Json* found) {
    reading.fields.fail(
        "layer_types", "config field is unusable",
        "full_attention or, with a sliding_window, sliding_attention for each layer", found);
  };
  if (types->as_array() == nullptr || std::ssize(*types->as_array()) < config.layer_count) {
    return refuse(types);
  }
  for (size_t layer = 0; layer < config.layers.size(); ++layer) {
    const Json& type = (*types->as_array())[layer];
    const bool is_full = type.as_string() != nullptr && *type.as_string() == "full_attention";
    const bool is_sliding = type.as_string() != nullptr && *type.as_string() == "sliding_attention";
    if (!is_full && !(is_sliding && window != 0)) return refuse(&type);
    if (is_sliding) config.layers[layer].window_tokens = window;
  }
}

void read_qwen_windows(Reading& reading) {
  if (!reading.fields.boolean_or({"use_sliding_window"}, false)) {
    return read_windows(reading, on_no_layer);
  }
  read_windows(reading, on_all_layers);
  if (reading.fields.has({"layer_types"})) return;
  const int64_t full = reading.fields.integer_or({"max_window_layers"}, 0, kLayersMax, 28);
  for (int64_t layer = 0; layer < std::min(full, reading.config.layer_count); ++layer) {
    reading.config.layers[static_cast<size_t>(layer)].window_tokens = 0;
  }
}

void read_bias(Reading& reading, std::string_view name, bool absent, bool has_output) {
  const bool has_bias = reading.fields.boolean_or({name}, absent);
  reading.config.has_query_bias = has_bias;
  reading.config.has_output_bias = has_bias && has_output;
}

void read_llama_like(Reading& reading, double eps, int64_t head_dim) {
  read_sizes(reading);
  read_head_dim(reading, head_dim);
  read_norm_eps(reading, {"rms_norm_eps"}, eps);
  read_activation(reading, {"hidden_act"}, "silu");
  read_plain_layers(reading);
  read_token_ids(reading);
}

}  // namespace kvasir::model::decoder
