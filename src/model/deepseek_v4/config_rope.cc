#include "model/deepseek_v4/config_rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/deepseek_v4/config_reading.h"

namespace kvasir::model::deepseek_v4 {
namespace {

const Json* nested_rope(const Json& root, std::string_view label) {
  const Json* parameters = root.find("rope_parameters");
  return parameters == nullptr ? nullptr : parameters->find(label);
}

// `scaling` describes YaRN, or no scaling at all.
void read_scaling(ConfigFields& scaling, ops::RopeSettings& rope) {
  const std::string type = scaling.text_or({"rope_type", "type"}, "default");
  if (type == "default") return;
  scaling.expect_text({"rope_type", "type"}, "yarn");
  // V4 rotates without a magnitude correction, whatever YaRN's usual formula gives.
  scaling.real_or({"attention_factor"}, 1, 1, 1);
  const Json* truncate = scaling.find({"truncate"});
  if (truncate != nullptr && !scaling.boolean_or({"truncate"}, true)) {
    scaling.fail("truncate", "config asks for what is not supported", "true", truncate);
  }
  rope.has_yarn = true;
  rope.yarn.factor = scaling.real({"factor"}, 1, kFactorMax);
  rope.yarn.beta_fast = scaling.real_or({"beta_fast"}, 1e-3, kFactorMax, 32);
  rope.yarn.beta_slow = scaling.real_or({"beta_slow"}, 1e-3, kFactorMax, 1);
  rope.yarn.original_context = scaling.real({"original_max_position_embeddings"}, 1, kContextMax);
}

// One entry of transformers' {"main": ..., "compress": ...}.
ops::RopeSettings read_nested(ConfigFields& fields, const Json& entry, std::string_view label,
                              std::string_view plain_name) {
  ops::RopeSettings rope;
  ConfigFields nested(entry, fields.path(), fmt::format("rope_parameters.{}.", label));
  rope.theta = nested.real({"rope_theta"}, kThetaMin, kThetaMax);
  if (label == "main") {
    nested.expect_text({"rope_type", "type"}, "default");
  } else {
    read_scaling(nested, rope);
  }
  if (nested.error()) fields.fail(*nested.error());
  if (fields.real_or({plain_name}, kThetaMin, kThetaMax, rope.theta) != rope.theta) {
    fields.fail(plain_name, "config contradicts itself",
                fmt::format("rope_parameters.{}.rope_theta {}", label, rope.theta),
                fields.find({plain_name}));
  }
  return rope;
}

// The official form: two bases and one rope_scaling, which belongs to the compressed layers.
void read_plain(ConfigFields& fields, const Json* scaling_json, Config& config) {
  const bool is_compressed = std::any_of(config.layers.begin(), config.layers.end(),
                                         [](LayerKind kind) { return kind != LayerKind::kWindow; });
  config.window_rope.theta = fields.real({"rope_theta"}, kThetaMin, kThetaMax);
  config.compressed_rope.theta =
      is_compressed
          ? fields.real({"compress_rope_theta"}, kThetaMin, kThetaMax)
          : fields.real_or({"compress_rope_theta"}, kThetaMin, kThetaMax, config.window_rope.theta);
  if (scaling_json == nullptr) return;
  if (scaling_json->as_object() == nullptr) {
    fields.fail("rope_scaling", "config field is unusable", "an object or null", scaling_json);
    return;
  }
  ConfigFields scaling(*scaling_json, fields.path(), "rope_scaling.");
  read_scaling(scaling, config.compressed_rope);
  if (scaling.error()) fields.fail(*scaling.error());
}

}  // namespace

int64_t read_rope_dim(ConfigFields& fields, const Json& root, int64_t head_dim) {
  const Json* main = nested_rope(root, "main");
  const int64_t dim = fields.integer_or({"qk_rope_head_dim"}, 2, head_dim, 0);
  double part = fields.real_or({"partial_rotary_factor"}, 0, 1, 0);
  if (part == 0 && main != nullptr) {
    ConfigFields nested(*main, fields.path(), "rope_parameters.main.");
    part = nested.real_or({"partial_rotary_factor"}, 0, 1, 0);
    if (nested.error()) fields.fail(*nested.error());
  }
  const double product = static_cast<double>(head_dim) * part;
  const int64_t dim_of_part = std::llround(product);
  if (std::abs(product - static_cast<double>(dim_of_part)) > 1e-6) {
    fields.fail("partial_rotary_factor", "config field is unusable",
                "a part of head_dim that is a whole number of dims",
                fields.find({"partial_rotary_factor"}));
  }
  if (dim != 0 && dim_of_part != 0 && dim != dim_of_part) {
    fields.fail("qk_rope_head_dim", "config contradicts itself",
                fmt::format("{}, as partial_rotary_factor says", dim_of_part),
                fields.find({"qk_rope_head_dim"}));
  }
  const int64_t chosen = dim != 0 ? dim : dim_of_part;
  if (chosen < 2 || chosen % 2 != 0) {
    fields.fail("qk_rope_head_dim or partial_rotary_factor", "config field is unusable",
                "an even number of rotary dims",
                fields.find({"qk_rope_head_dim", "partial_rotary_factor"}));
  }
  return chosen;
}

void read_rope(ConfigFields& fields, const Json& root, Config& config) {
  const Json* main = nested_rope(root, "main");
  const Json* compress = nested_rope(root, "compress");
  config.rope_dim = read_rope_dim(fields, root, config.head_dim);
  if (main != nullptr && compress != nullptr) {
    config.window_rope = read_nested(fields, *main, "main", "rope_theta");
    config.compressed_rope = read_nested(fields, *compress, "compress", "compress_rope_theta");
    return;
  }
  read_plain(fields, fields.find({"rope_scaling", "rope_parameters"}), config);
}

}  // namespace kvasir::model::deepseek_v4
