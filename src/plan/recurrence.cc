#include <numeric>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

// The newest inputs of a causal convolution: one column less than its kernel is wide.
int64_t conv_columns(int64_t kernel) { return kernel - 1; }

constexpr int64_t kKernelMax = 1024;

void add_state(Reading& reading, RecurrentState state) {
  state.part = "recurrent state";
  if (!reading.fields.error()) reading.model.states.push_back(state);
}

int64_t required(Reading& reading, ConfigFields::Names names, int64_t max) {
  return reading.fields.integer(names, 1, max);
}

}  // namespace

void gated_delta(Reading& reading, int64_t layer_count) {
  const int64_t key_heads = required(reading, {"linear_num_key_heads"}, kHeadsMax);
  const int64_t value_heads = required(reading, {"linear_num_value_heads"}, kHeadsMax);
  const int64_t key_dim = required(reading, {"linear_key_head_dim"}, kDimMax);
  const int64_t value_dim = required(reading, {"linear_value_head_dim"}, kDimMax);
  const int64_t kernel = required(reading, {"linear_conv_kernel_dim"}, kKernelMax);
  add_state(reading, {.layer_count = layer_count,
                      .head_count = std::gcd(key_heads, value_heads),
                      .conv_values = conv_columns(kernel) *
                                     (2 * key_heads * key_dim + value_heads * value_dim),
                      .state_values = value_heads * value_dim * key_dim});
}

void kimi_delta(Reading& reading, int64_t layer_count) {
  const Json* config = reading.fields.find({"linear_attn_config"});
  const Json none;
  ConfigFields nested(config == nullptr ? none : *config, reading.fields.path(),
                      "linear_attn_config.");
  const auto read = [&](ConfigFields::Names own, ConfigFields::Names flat, int64_t max) {
    return nested.has(own) ? nested.integer(own, 1, max) : reading.fields.integer(flat, 1, max);
  };
  const int64_t heads_of = read({"num_heads"}, {"linear_num_heads"}, kHeadsMax);
  const int64_t dim = read({"head_dim"}, {"linear_head_dim"}, kDimMax);
  const int64_t kernel = read({"short_conv_kernel_size"}, {"linear_conv_kernel_dim"}, kKernelMax);
  if (nested.error()) reading.fields.fail(*nested.error());
  add_state(reading, {.layer_count = layer_count,
                      .head_count = heads_of,
                      .conv_values = conv_columns(kernel) * 3 * heads_of * dim,
                      .state_values = heads_of * dim * dim});
}

void lightning(Reading& reading, int64_t layer_count) {
  const int64_t heads_of = required(reading, {"num_attention_heads"}, kHeadsMax);
  const int64_t dim = required(reading, {"head_dim"}, kDimMax);
  add_state(
      reading,
      {.layer_count = layer_count, .head_count = heads_of, .state_values = heads_of * dim * dim});
}

void mamba(Reading& reading, int64_t layer_count) {
  const int64_t hidden = required(reading, {"hidden_size", "d_model"}, kWidthMax);
  const int64_t expand = reading.fields.integer_or({"mamba_expand", "expand"}, 1, 1024, 2);
  const int64_t inner =
      reading.fields.integer_or({"mamba_intermediate_size"}, 1, 1024 * kWidthMax, expand * hidden);
  const int64_t kernel = required(reading, {"mamba_d_conv", "conv_kernel"}, kKernelMax);
  const int64_t state = required(reading, {"mamba_d_state", "state_size"}, kDimMax);
  add_state(reading, {.layer_count = layer_count,
                      .conv_values = conv_columns(kernel) * inner,
                      .state_values = inner * state});
}

void mamba2(Reading& reading, int64_t layer_count) {
  const int64_t heads_of = required(
      reading, {"mamba_n_heads", "mamba_num_heads", "n_mamba_heads", "num_heads"}, kHeadsMax);
  const ConfigFields::Names kDimNames = {"mamba_d_head", "mamba_head_dim", "mamba_headdim",
                                         "head_dim"};
  const Json* stated = reading.fields.find(kDimNames);
  const bool is_auto = stated != nullptr && stated->as_string() != nullptr;  // "auto"
  const int64_t dim = is_auto ? reading.fields.integer_or({"mamba_expand"}, 1, 1024, 2) *
                                    required(reading, {"hidden_size"}, kWidthMax) / heads_of
                              : required(reading, kDimNames, kDimMax);
  const int64_t groups =
      reading.fields.integer_or({"mamba_n_groups", "mamba_ngroups", "n_groups"}, 1, kHeadsMax, 1);
  const int64_t state =
      required(reading, {"mamba_d_state", "ssm_state_size", "state_size"}, kDimMax);
  const int64_t kernel = required(reading, {"mamba_d_conv", "conv_kernel"}, kKernelMax);
  add_state(reading, {.layer_count = layer_count,
                      .head_count = std::gcd(heads_of, groups),
                      .conv_values = conv_columns(kernel) * (heads_of * dim + 2 * groups * state),
                      .state_values = heads_of * dim * state});
}

void short_conv(Reading& reading, int64_t layer_count) {
  const int64_t hidden = required(reading, {"hidden_size"}, kWidthMax);
  const int64_t kernel = required(reading, {"conv_L_cache"}, kKernelMax);
  add_state(reading, {.layer_count = layer_count, .conv_values = conv_columns(kernel) * hidden});
}

void gated_linear_unit(Reading& reading, int64_t layer_count) {
  const int64_t width = reading.fields.integer_or({"lru_width"}, 1, kWidthMax,
                                                  required(reading, {"hidden_size"}, kWidthMax));
  const int64_t kernel = reading.fields.integer_or({"conv1d_width"}, 1, kKernelMax, 4);
  add_state(reading, {.layer_count = layer_count,
                      .conv_values = conv_columns(kernel) * width,
                      .state_values = width});
}

}  // namespace kvasir::plan
