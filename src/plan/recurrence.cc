#include <algorithm>
#include <utility>
#include <vector>

#include "plan/readers.h"

namespace kvasir::plan {
namespace {

constexpr int64_t kKernelMax = 1024;
constexpr int64_t kExpandMax = 1024;

using States = std::vector<kv::State>;

// The newest inputs of a causal convolution: one column less than its kernel is wide.
kv::State conv(int64_t kernel, int64_t shares, int64_t dim) {
  return {.values = (kernel - 1) * shares * dim, .shares = shares, .is_convolution = true};
}

kv::State state_of(int64_t shares, int64_t values) {
  return {.values = shares * values, .shares = shares};
}

int64_t required(Reading& reading, ConfigFields::Names names, int64_t max) {
  return reading.fields.integer(names, 1, max);
}

// Returns the width of all heads of a state together.
int64_t expanded_width(Reading& reading) {
  const int64_t expanded = reading.fields.integer_or({"mamba_expand"}, 1, kExpandMax, 2) *
                           required(reading, {"hidden_size"}, kWidthMax);
  return reading.fields.integer_or({"mamba_d_ssm"}, 1, kExpandMax * kWidthMax, expanded);
}

}  // namespace

States gated_delta(Reading& reading) {
  const int64_t key_heads = required(reading, {"linear_num_key_heads"}, kHeadsMax);
  const int64_t value_heads = required(reading, {"linear_num_value_heads"}, kHeadsMax);
  const int64_t key_dim = required(reading, {"linear_key_head_dim"}, kDimMax);
  const int64_t value_dim = required(reading, {"linear_value_head_dim"}, kDimMax);
  const int64_t kernel = required(reading, {"linear_conv_kernel_dim"}, kKernelMax);
  return {conv(kernel, key_heads, 2 * key_dim), conv(kernel, value_heads, value_dim),
          state_of(value_heads, value_dim * key_dim)};
}

States kimi_delta(Reading& reading) {
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
  return {conv(kernel, heads_of, 3 * dim), state_of(heads_of, dim * dim)};
}

States lightning(Reading& reading) {
  const int64_t heads_of = required(reading, {"num_attention_heads"}, kHeadsMax);
  const int64_t dim =
      reading.fields.has({"head_dim"})
          ? required(reading, {"head_dim"}, kDimMax)
          : std::max<int64_t>(1, required(reading, {"hidden_size"}, kWidthMax) / heads_of);
  return {state_of(heads_of, dim * dim)};
}

States mamba(Reading& reading) {
  const int64_t hidden = required(reading, {"hidden_size", "d_model"}, kWidthMax);
  const int64_t expand = reading.fields.integer_or({"mamba_expand", "expand"}, 1, kExpandMax, 2);
  // In a model with attention, intermediate_size is another part's.
  const bool is_alone = reading.architecture.attention == no_attention;
  const ConfigFields::Names own = {"mamba_intermediate_size"};
  const ConfigFields::Names alone = {"mamba_intermediate_size", "intermediate_size"};
  const int64_t inner =
      reading.fields.integer_or(is_alone ? alone : own, 1, kExpandMax * kWidthMax, expand * hidden);
  const int64_t kernel = required(reading, {"mamba_d_conv", "conv_kernel"}, kKernelMax);
  const int64_t state = required(reading, {"mamba_d_state", "state_size"}, kDimMax);
  return {conv(kernel, inner, 1), state_of(inner, state)};
}

States mamba2(Reading& reading) {
  // Beside attention heads and their dims are those of attention.
  const bool is_alone = reading.architecture.attention == no_attention;
  const ConfigFields::Names own_heads = {"mamba_n_heads", "mamba_num_heads", "n_mamba_heads"};
  const ConfigFields::Names heads_alone = {"mamba_n_heads", "mamba_num_heads", "num_heads"};
  const ConfigFields::Names own_dims = {"mamba_d_head", "mamba_head_dim", "mamba_headdim"};
  const ConfigFields::Names dims_alone = {"mamba_d_head", "mamba_head_dim", "head_dim"};
  const int64_t heads_of = required(reading, is_alone ? heads_alone : own_heads, kHeadsMax);
  const ConfigFields::Names dim_names = is_alone ? dims_alone : own_dims;
  const Json* stated = reading.fields.find(dim_names);
  const bool is_auto = stated != nullptr && stated->as_string() != nullptr;  // "auto"
  const int64_t dim =
      is_auto ? expanded_width(reading) / heads_of : required(reading, dim_names, kDimMax);
  const int64_t groups = reading.fields.integer_or({"mamba_n_groups", "mamba_ngroups", "n_groups"},
                                                   1, kHeadsMax, reading.defaults.state_groups);
  const int64_t state =
      required(reading, {"mamba_d_state", "ssm_state_size", "state_size"}, kDimMax);
  const int64_t kernel = required(reading, {"mamba_d_conv", "conv_kernel"}, kKernelMax);
  return {conv(kernel, heads_of, dim), conv(kernel, groups, 2 * state),
          state_of(heads_of, dim * state)};
}

States short_conv(Reading& reading) {
  const int64_t hidden = required(reading, {"hidden_size"}, kWidthMax);
  const int64_t kernel = required(reading, {"conv_L_cache"}, kKernelMax);
  return {conv(kernel, hidden, 1)};
}

States gated_linear_unit(Reading& reading) {
  const int64_t width = reading.fields.integer_or({"lru_width"}, 1, kWidthMax,
                                                  required(reading, {"hidden_size"}, kWidthMax));
  const int64_t kernel = reading.fields.integer_or({"conv1d_width"}, 1, kKernelMax, 4);
  return {conv(kernel, width, 1), state_of(width, 1)};
}

}  // namespace kvasir::plan
