// A Reading is a config while it is read: its fields and what has been understood of them. The
// functions beside it read what several architectures write alike. One thread; lives for one read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/config_fields.h"
#include "model/decoder/config.h"
#include "model/size_limits.h"

namespace kvasir::model::decoder {

// Far above every published model, as those of size_limits.h.
inline constexpr int64_t kTokensMax = int64_t{1} << 40;

struct Reading {
  ConfigFields fields;
  Config config;
  int64_t context_tokens = 0;  // how long sequences may become; 0: as long as the config says
};

// Vocabulary, layers, widths and heads, by the names that most architectures use.
void read_sizes(Reading& reading);
// The same by the names of GPT-2 and its kin.
void read_sizes_of_gpt2(Reading& reading);
// head_dim, or what the hidden size leaves to each head; values are as wide.
void read_head_dim(Reading& reading, int64_t absent = 0);

// `absent`: what the architecture's config class says.
void read_norm_eps(Reading& reading, ConfigFields::Names names, double absent);
void read_activation(Reading& reading, ConfigFields::Names names, std::string_view absent);
void read_tied_output(Reading& reading, bool absent);
void read_token_ids(Reading& reading);

// Gives every layer the same MLP, and attention to all tokens.
void read_plain_layers(Reading& reading);
// For read_windows.
inline bool on_all_layers(int64_t) { return true; }
inline bool on_no_layer(int64_t) { return false; }
inline bool on_even_layers(int64_t layer) { return layer % 2 == 0; }
inline bool on_three_of_four_layers(int64_t layer) { return layer % 4 != 3; }
// layer_types where the config lists them: "full_attention" or "sliding_attention", whose window is
// sliding_window. Else is_windowed(layer), when there is a window.
void read_windows(Reading& reading, bool (*is_windowed)(int64_t layer));

// The first max_window_layers see everything; layer_types say it in newer configs.
void read_qwen_windows(Reading& reading);

// Biases of queries, keys and values, and of what attention gives.
void read_bias(Reading& reading, std::string_view name, bool absent, bool has_output);
// What Llama and all its kin have in common: sizes, heads (config_rope.cc has the rope), RMS norms
// and a gated MLP.
void read_llama_like(Reading& reading, double eps, int64_t head_dim = 0);

// How the heads are turned (config_rope.cc): one rope for all layers, with the part of a head
// that `absent_part` says unless the config does.
void read_rope(Reading& reading, double absent_part = 1);
// One rope of full and one of windowed layers, which is never scaled by what stands outside. Null:
// both have one theta.
void read_rope_by_layer_type(Reading& reading, double absent_theta,
                             std::optional<double> absent_windowed_theta);
// The same for a head part of a known width, as latent attention has it. Returns the factor that
// mscale_all_dim puts on scores, 1 without YaRN.
double read_latent_rope(Reading& reading, int64_t rope_dim);

}  // namespace kvasir::model::decoder
