// The keys of a GGUF file, in the two dialects that there are: llama.cpp's, and that of ds4, which
// states no gating function and may leave out how YaRN stretches.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "checkpoint/config_fields.h"
#include "checkpoint/context_limit.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/config_reading.h"

namespace kvasir::model::deepseek_v4 {
namespace {

constexpr std::string_view kArchitecture = "deepseek4";
constexpr std::string_view kPrefix = "deepseek4.";
constexpr int64_t kSqrtSoftplus = 4;  // as llama.cpp numbers gating functions

// What every published model has, for files whose runtime knows it by heart.
constexpr double kYarnFactor = 16;
constexpr double kYarnContext = 65536;

Json section_of(const Json& keys) {
  Json::Object section;
  for (const auto& [name, value] : *keys.as_object()) {
    if (name.starts_with(kPrefix)) section.emplace_back(name.substr(kPrefix.size()), value);
  }
  return Json(std::move(section));
}

// nextn_predict_layers is written whether or not block_count has those blocks in it, and whether
// or not the file does.
int64_t read_layer_count(ConfigFields& fields, const HasTensor& has_tensor) {
  const int64_t blocks = fields.integer({"block_count"}, 1, kLayersMax);
  const int64_t drafts = fields.integer_or({"nextn_predict_layers"}, 0, kLayersMax, 0);
  if (drafts == 0 || drafts >= blocks) return blocks;
  const std::string first = fmt::format("blk.{}.nextn.", blocks - drafts);
  const bool has_drafts =
      has_tensor(first + "eh_proj.weight") || has_tensor(first + "e_proj.weight");
  return has_drafts ? blocks - drafts : blocks;
}

int64_t listed_tokens(const Json& keys) {
  const Json* tokens = keys.find("tokenizer.ggml.tokens");
  const bool is_list = tokens != nullptr && tokens->as_array() != nullptr;
  return is_list ? std::min(std::ssize(*tokens->as_array()), kVocabMax) : 0;
}

int64_t read_vocab_size(ConfigFields& fields, const Json& keys) {
  const int64_t listed = listed_tokens(keys);
  return listed > 0 ? fields.integer_or({"vocab_size"}, 1, kVocabMax, listed)
                    : fields.integer({"vocab_size"}, 1, kVocabMax);
}

// What a config.json states in another way.
void read_rest(ConfigFields& fields, Config& config) {
  config.rope_dim = fields.integer({"rope.dimension_count"}, 2, config.head_dim);
  config.hash_layer_count = fields.integer({"hash_layer_count"}, 0, config.layer_count);
  if (!fields.has({"expert_weights_norm"})) {
    fields.fail("expert_weights_norm", "config field is missing", "true or false", nullptr);
  }
  config.norm_topk_prob = fields.boolean_or({"expert_weights_norm"}, true);
}

// Refuses choices that V4 never makes, as read_config does.
void check_fixed_choices(ConfigFields& fields, const Config& config) {
  fields.integer({"attention.head_count_kv"}, 1, 1);
  fields.integer({"attention.value_length"}, config.head_dim, config.head_dim);
  fields.expect_integer({"expert_gating_func"}, kSqrtSoftplus);
  fields.integer_or({"expert_group_count"}, 0, 1, 0);
  fields.integer_or({"expert_group_used_count"}, 0, 1, 0);
  if (config.rope_dim % 2 != 0) {
    fields.fail("rope.dimension_count", "config field is unusable", "an even number",
                fields.find({"rope.dimension_count"}));
  }
}

// One number for all layers, or one for each, which must be equal.
std::optional<double> read_limit(ConfigFields& fields, std::string_view name, int64_t layer_count) {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  const Json* value = fields.find({name});
  if (value == nullptr) return std::nullopt;
  if (value->as_array() == nullptr) return fields.real({name}, 0, kNoLimit);
  if (layer_list(fields, name, layer_count) == nullptr) return std::nullopt;
  const std::vector<double> limits = fields.reals({name}, 0, kNoLimit);
  if (limits.empty()) return std::nullopt;
  const auto differs = [&](double limit) { return limit != limits.front(); };
  if (std::any_of(limits.begin(), limits.begin() + layer_count, differs)) {
    fields.fail(name, "config asks for what is not supported", "one limit for all layers", value);
  }
  return limits.front();
}

void read_swiglu_limit(ConfigFields& fields, Config& config) {
  const auto routed = read_limit(fields, "swiglu_clamp_exp", config.layer_count);
  const auto shared = read_limit(fields, "swiglu_clamp_shexp", config.layer_count);
  if (!fields.has({"swiglu_clamp_exp"})) {
    fields.fail("swiglu_clamp_exp", "config field is missing", "a number for each layer", nullptr);
  }
  if (shared && routed && *shared != *routed) {
    fields.fail("swiglu_clamp_shexp", "config asks for what is not supported",
                fmt::format("{}, the limit of swiglu_clamp_exp", *routed),
                fields.find({"swiglu_clamp_shexp"}));
  }
  config.swiglu_limit = swiglu_limit_of(routed.value_or(0));
}

// A runtime that states neither runs the published models alone, and knows how they are stretched.
bool is_of_ds4(const ConfigFields& fields) {
  return !fields.has({"expert_gating_func"}) && !fields.has({"rope.scaling.type"});
}

bool is_stretched(ConfigFields& fields) {
  const std::string type = fields.text_or({"rope.scaling.type"}, "yarn");
  if (type == "none") return false;
  fields.expect_text({"rope.scaling.type"}, "yarn");
  return is_of_ds4(fields) || fields.has({"rope.scaling.type", "rope.scaling.factor",
                                          "rope.scaling.original_context_length"});
}

void read_yarn(ConfigFields& fields, ops::RopeSettings& rope) {
  constexpr std::string_view kFactor = "rope.scaling.factor";
  constexpr std::string_view kContext = "rope.scaling.original_context_length";
  const bool is_ds4 = is_of_ds4(fields);
  rope.has_yarn = true;
  rope.yarn.factor = is_ds4 ? fields.real_or({kFactor}, 1, kFactorMax, kYarnFactor)
                            : fields.real({kFactor}, 1, kFactorMax);
  rope.yarn.original_context = is_ds4 ? fields.real_or({kContext}, 1, kContextMax, kYarnContext)
                                      : fields.real({kContext}, 1, kContextMax);
  rope.yarn.beta_fast = fields.real_or({"rope.scaling.yarn_beta_fast"}, 1e-3, kFactorMax, 32);
  rope.yarn.beta_slow = fields.real_or({"rope.scaling.yarn_beta_slow"}, 1e-3, kFactorMax, 1);
}

// The stretched length is stated; a file that states it as the original one too would be stretched
// again, in silence.
void check_context(ConfigFields& fields, int64_t stated, const ops::RopeSettings& rope) {
  constexpr std::string_view kContext = "rope.scaling.original_context_length";
  if (!rope.has_yarn || rope.yarn.factor <= 1 || !fields.has({kContext})) return;
  if (rope.yarn.original_context != static_cast<double>(stated)) return;
  fields.fail(kContext, "config contradicts itself",
              fmt::format("fewer than context_length {}, as it was before stretching {} times",
                          stated, rope.yarn.factor),
              fields.find({kContext}));
}

void read_position_count(ConfigFields& fields, Config& config) {
  const int64_t stated = fields.integer({"context_length"}, 1, kPositionsMax);
  const ops::RopeSettings& rope = config.compressed_rope;
  check_context(fields, stated, rope);
  config.max_position_count = stated;
  if (!rope.has_yarn) return;
  const Json as_config{Json::Object{
      {"rope_scaling",
       Json::Object{{"rope_type", "yarn"},
                    {"factor", rope.yarn.factor},
                    {"original_max_position_embeddings", rope.yarn.original_context}}}}};
  config.max_position_count = context_limit(ConfigFields(as_config, fields.path()), stated).tokens;
}

void read_rope(ConfigFields& fields, Config& config) {
  const bool is_compressed = std::any_of(config.layers.begin(), config.layers.end(),
                                         [](LayerKind kind) { return kind != LayerKind::kWindow; });
  constexpr std::string_view kCompressed = "attention.compress_rope_freq_base";
  config.window_rope.theta = fields.real({"rope.freq_base"}, kThetaMin, kThetaMax);
  config.compressed_rope.theta =
      is_compressed ? fields.real({kCompressed}, kThetaMin, kThetaMax)
                    : fields.real_or({kCompressed}, kThetaMin, kThetaMax, config.window_rope.theta);
  if (is_stretched(fields)) read_yarn(fields, config.compressed_rope);
}

void read_layers(ConfigFields& fields, Config& config) {
  constexpr std::string_view kRatios = "attention.compress_ratios";
  if (!fields.has({kRatios})) {
    fields.fail(kRatios, "config field is missing", "a number for each layer", nullptr);
  }
  read_kinds(fields, kRatios, kind_of_ratio, config);
}

}  // namespace

bool runs_gguf(const Json& keys) {
  const Json* name = keys.find("general.architecture");
  return name != nullptr && name->as_string() != nullptr && *name->as_string() == kArchitecture;
}

Result<Config> read_gguf_config(const Json& keys, std::string_view where,
                                const HasTensor& has_tensor) {
  const Json section = section_of(keys);
  ConfigFields fields(section, where, kPrefix);
  Config config;
  config.layer_count = read_layer_count(fields, has_tensor);
  config.vocab_size = read_vocab_size(fields, keys);
  read_sizes(fields, Names::kGguf, config);
  read_rest(fields, config);
  check_fixed_choices(fields, config);
  read_scalars(fields, Names::kGguf, config);
  read_swiglu_limit(fields, config);
  check_relations(fields,
                  {.output_group_count = "attention.output_group_count",
                   .experts_per_token = "expert_used_count"},
                  config);
  if (fields.error()) return *fields.error();

  // From here on every size can be relied upon.
  read_layers(fields, config);
  read_rope(fields, config);
  read_position_count(fields, config);
  read_index(fields,
             {.head_count = "attention.indexer.head_count",
              .head_dim = "attention.indexer.key_length",
              .top_k = "attention.indexer.top_k"},
             config);
  ConfigFields tokens(keys, where);
  read_special_tokens(tokens, "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", config);
  if (tokens.error()) fields.fail(*tokens.error());
  if (fields.error()) return *fields.error();
  check_sizes(config);
  return config;
}

}  // namespace kvasir::model::deepseek_v4
