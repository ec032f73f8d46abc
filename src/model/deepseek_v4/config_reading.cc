#include "model/deepseek_v4/config_reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "base/check.h"
#include "kernels/kernels.h"

namespace kvasir::model::deepseek_v4 {
namespace {

struct Size {
  int64_t Config::*member;
  std::string_view field;        // of a config.json
  std::string_view other_field;  // as transformers writes it; empty: it has the same name
  std::string_view key;          // of a GGUF file
  int64_t min;
  int64_t max;
};

constexpr Size kSizes[] = {
    {&Config::hidden_size, "hidden_size", "", "embedding_length", 1, kWidthMax},
    {&Config::head_count, "num_attention_heads", "", "attention.head_count", 1, kHeadsMax},
    {&Config::head_dim, "head_dim", "", "attention.key_length", 2, kWidthMax},
    {&Config::query_rank, "q_lora_rank", "", "attention.q_lora_rank", 1, kWidthMax},
    {&Config::output_group_count, "o_groups", "", "attention.output_group_count", 1, kHeadsMax},
    {&Config::output_rank, "o_lora_rank", "", "attention.output_lora_rank", 1, kWidthMax},
    {&Config::window, "sliding_window", "", "attention.sliding_window", 1, kWidthMax},
    {&Config::expert_count, "n_routed_experts", "num_local_experts", "expert_count", 1,
     kExpertsMax},
    {&Config::experts_per_token, "num_experts_per_tok", "", "expert_used_count", 1, kExpertsMax},
    {&Config::expert_width, "moe_intermediate_size", "intermediate_size",
     "expert_feed_forward_length", 1, kWidthMax},
    {&Config::shared_expert_count, "n_shared_experts", "", "expert_shared_count", 1,
     kSharedExpertsMax},
    {&Config::stream_count, "hc_mult", "", "hyper_connection.count", 1, kernels::kStreamCountMax},
    {&Config::sinkhorn_iterations, "hc_sinkhorn_iters", "", "hyper_connection.sinkhorn_iterations",
     1, kSinkhornMax},
};

struct Scalar {
  float Config::*member;
  std::string_view field;
  std::string_view key;
  double max;
};

constexpr Scalar kScalars[] = {
    {&Config::hyper_eps, "hc_eps", "hyper_connection.epsilon", 1},
    {&Config::norm_eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1},
    {&Config::routed_scale, "routed_scaling_factor", "expert_weights_scale", kFloatMax},
};

}  // namespace

void read_sizes(ConfigFields& fields, Names names, Config& config) {
  for (const Size& size : kSizes) {
    const std::string_view name = names == Names::kGguf ? size.key : size.field;
    const bool has_other = names == Names::kConfig && !size.other_field.empty();
    config.*size.member = has_other ? fields.integer({name, size.other_field}, size.min, size.max)
                                    : fields.integer({name}, size.min, size.max);
  }
}

void read_scalars(ConfigFields& fields, Names names, Config& config) {
  for (const Scalar& scalar : kScalars) {
    const std::string_view name = names == Names::kGguf ? scalar.key : scalar.field;
    config.*scalar.member = static_cast<float>(fields.real({name}, kEpsMin, scalar.max));
  }
}

const Json::Array* layer_list(ConfigFields& fields, std::string_view name, int64_t count) {
  const Json* list = fields.find({name});
  if (list == nullptr) return nullptr;
  const Json::Array* items = list->as_array();
  if (items != nullptr && static_cast<int64_t>(items->size()) >= count) return items;
  fields.fail(name, "config field is unusable", fmt::format("a list of {} layers or more", count),
              list);
  return nullptr;
}

std::optional<LayerKind> kind_of_ratio(const Json& ratio) {
  if (ratio.as_integer() == nullptr) return std::nullopt;
  switch (*ratio.as_integer()) {
    case 0:
      return LayerKind::kWindow;
    case kCsaRatio:
      return LayerKind::kCsa;
    case kHcaRatio:
      return LayerKind::kHca;
    default:
      return std::nullopt;
  }
}

void read_kinds(ConfigFields& fields, std::string_view name, KindOf kind_of, Config& config) {
  const Json::Array* items = layer_list(fields, name, config.layer_count);
  if (items == nullptr) return;
  for (int64_t layer = 0; layer < config.layer_count; ++layer) {
    const Json& item = (*items)[static_cast<size_t>(layer)];
    const std::optional<LayerKind> kind = kind_of(item);
    if (!kind) {
      fields.fail(fmt::format("{}[{}]", name, layer), "unsupported kind of layer",
                  "0, 4, 128 or the layer type of that name", &item);
      return;
    }
    config.layers.push_back(*kind);
  }
}

void read_index(ConfigFields& fields, const IndexNames& names, Config& config) {
  const bool has_csa = std::count(config.layers.begin(), config.layers.end(), LayerKind::kCsa) > 0;
  const auto read = [&](std::string_view name, int64_t max, int64_t& out) {
    if (has_csa || fields.has({name})) out = fields.integer({name}, 1, max);
  };
  read(names.head_count, kHeadsMax, config.index_head_count);
  read(names.head_dim, kWidthMax, config.index_head_dim);
  read(names.top_k, kVocabMax, config.index_top_k);
  if (!has_csa) return;
  const auto dim = static_cast<uint64_t>(config.index_head_dim);
  if (!std::has_single_bit(dim) || config.index_head_dim < config.rope_dim) {
    fields.fail(names.head_dim, "config field is unusable",
                fmt::format("a power of two of at least {}, the rotary dims", config.rope_dim),
                fields.find({names.head_dim}));
  }
}

void read_special_tokens(ConfigFields& fields, std::string_view bos, std::string_view eos,
                         Config& config) {
  const int64_t last = config.vocab_size - 1;
  config.bos_token_id = fields.integer_or({bos}, 0, last, 0);
  const Json* ids = fields.find({eos});
  if (ids == nullptr) return;
  const Json::Array single{*ids};
  for (const Json& id : ids->as_array() != nullptr ? *ids->as_array() : single) {
    if (id.as_integer() == nullptr || *id.as_integer() < 0 || *id.as_integer() > last) {
      fields.fail(eos, "config field is unusable", fmt::format("token ids from 0 to {}", last),
                  ids);
      return;
    }
    config.eos_token_ids.push_back(*id.as_integer());
  }
}

float swiglu_limit_of(double stated) {
  return stated > 0 && stated <= kFloatMax ? static_cast<float>(stated)
                                           : std::numeric_limits<float>::infinity();
}

void check_relations(ConfigFields& fields, const RelationNames& names, const Config& config) {
  if (config.head_count % config.output_group_count != 0) {
    fields.fail(names.output_group_count, "config field is unusable",
                fmt::format("a divisor of the {} heads", config.head_count),
                fields.find({names.output_group_count}));
  }
  if (config.experts_per_token > config.expert_count) {
    fields.fail(names.experts_per_token, "config field is unusable",
                fmt::format("at most the {} experts", config.expert_count),
                fields.find({names.experts_per_token}));
  }
}

void check_sizes(const Config& config) {
  KVASIR_CHECK(std::ssize(config.layers) == config.layer_count, "a kind for each layer");
  KVASIR_CHECK(config.rope_dim <= config.head_dim, "rotary dims are a part of a head");
}

}  // namespace kvasir::model::deepseek_v4
