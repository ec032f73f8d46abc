#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/decoder/config_reading.h"
#include "numeric/elementary.h"
#include "ops/rope.h"

namespace kvasir::model::decoder {
namespace {

constexpr double kThetaMax = 1e15;
constexpr double kFactorMax = 1e9;
constexpr double kContextMax = 1e15;
constexpr double kDefaultTheta = 10000;

// Slow angles are stretched by `factor`, fast ones are not, and in between part of the way.
void scale_llama3(ConfigFields& scaling, Rope& rope) {
  const double factor = scaling.real({"factor"}, 1, kFactorMax);
  const double low = scaling.real({"low_freq_factor"}, 1e-6, kFactorMax);
  const double high = scaling.real({"high_freq_factor"}, 1e-6, kFactorMax);
  const double original = scaling.real({"original_max_position_embeddings"}, 1, kContextMax);
  for (double& frequency : rope.frequencies) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < original / high) continue;
    if (wavelength > original / low) {
      frequency /= factor;
      continue;
    }
    const double share = (original / wavelength - low) / (high - low);
    frequency = frequency * ((1 - share) / factor + share);
  }
}

double yarn_magnitude(double factor, double scale) {
  return factor <= 1 ? 1 : 0.1 * scale * numeric::log(factor) + 1;
}

// rope_dim values of a head turn by `settings`, which has no YaRN yet.
void scale_yarn(ConfigFields& scaling, ops::RopeSettings settings, int64_t rope_dim,
                double outer_original, Rope& rope) {
  const double factor = scaling.real({"factor"}, 1, kFactorMax);
  settings.has_yarn = true;
  settings.yarn = {.factor = factor,
                   .beta_fast = scaling.real_or({"beta_fast"}, 1e-3, kFactorMax, 32),
                   .beta_slow = scaling.real_or({"beta_slow"}, 1e-3, kFactorMax, 1),
                   .original_context = scaling.real_or({"original_max_position_embeddings"}, 1,
                                                       kContextMax, outer_original),
                   .truncates = scaling.boolean_or({"truncate"}, true)};
  rope.frequencies = ops::rope_frequencies(settings, rope_dim);
  const double scale = scaling.real_or({"mscale"}, 0, kFactorMax, 0);
  const double scale_of_all = scaling.real_or({"mscale_all_dim"}, 0, kFactorMax, 0);
  const double magnitude =
      scale != 0 && scale_of_all != 0
          ? yarn_magnitude(factor, scale) / yarn_magnitude(factor, scale_of_all)
          : yarn_magnitude(factor, 1);
  rope.magnitude = scaling.real_or({"attention_factor"}, 0, kFactorMax, magnitude);
}

std::vector<double> read_factors(ConfigFields& scaling, std::string_view name, size_t count) {
  std::vector<double> factors;
  const Json* list = scaling.find({name});
  const bool is_list = list != nullptr && list->as_array() != nullptr;
  if (is_list) {
    for (const Json& item : *list->as_array()) {
      const double value = item.as_double() != nullptr    ? *item.as_double()
                           : item.as_integer() != nullptr ? static_cast<double>(*item.as_integer())
                                                          : 0;
      if (value > 0) factors.push_back(value);
    }
  }
  if (factors.size() != count) {
    scaling.fail(name, "config field is unusable", fmt::format("{} numbers above 0", count), list);
    factors.assign(count, 1);
  }
  return factors;
}

// The long factors are for contexts longer than the model was first made for. A cache has one rope
// for good, so the choice cannot follow the length: the context asked for decides, or where none
// is, the one that the model is made for.
void scale_long(ConfigFields& scaling, const Reading& reading, double outer_original, Rope& rope) {
  const auto stated =
      static_cast<double>(reading.fields.find({"max_position_embeddings"}) == nullptr
                              ? 0
                              : reading.config.context_tokens_max);
  const double original =
      scaling.real_or({"original_max_position_embeddings"}, 1, kContextMax, outer_original);
  const double context =
      reading.context_tokens > 0 ? static_cast<double>(reading.context_tokens) : stated;
  const bool is_long = context > original;
  const std::vector<double> factors =
      read_factors(scaling, is_long ? "long_factor" : "short_factor", rope.frequencies.size());
  for (size_t i = 0; i < factors.size(); ++i) rope.frequencies[i] /= factors[i];
  const double factor =
      scaling.real_or({"factor"}, 1, kFactorMax, std::max(1.0, stated / original));
  const double magnitude =
      factor <= 1 ? 1 : std::sqrt(1 + numeric::log(factor) / numeric::log(original));
  rope.magnitude = scaling.real_or({"attention_factor"}, 0, kFactorMax, magnitude);
}

// original_max_position_embeddings may stand outside; without it the model's own positions count.
double outer_original(const Reading& reading) {
  for (const std::string_view name :
       {"original_max_position_embeddings", "max_position_embeddings"}) {
    const Json* value = reading.fields.find({name});
    if (value != nullptr && value->as_integer() != nullptr && *value->as_integer() > 0) {
      return static_cast<double>(*value->as_integer());
    }
  }
  return 1;
}

// `scaling`: an entry that states rope_type and what belongs to it.
Rope make_rope(Reading& reading, ConfigFields& scaling, double theta, int64_t rope_dim) {
  const ops::RopeSettings plain{.theta = theta};
  Rope rope{.frequencies = ops::rope_frequencies(plain, rope_dim)};
  const std::string type = scaling.text_or({"rope_type", "type"}, "default");
  if (type == "linear") {
    const double factor = scaling.real({"factor"}, 1, kFactorMax);
    for (double& frequency : rope.frequencies) frequency /= factor;
  } else if (type == "llama3") {
    scale_llama3(scaling, rope);
  } else if (type == "yarn") {
    scale_yarn(scaling, plain, rope_dim, outer_original(reading), rope);
  } else if (type == "longrope" || type == "su") {
    scale_long(scaling, reading, outer_original(reading), rope);
  } else if (type != "default") {
    scaling.fail("rope_type", "config asks for what is not supported",
                 "default, linear, llama3, yarn or longrope", scaling.find({"rope_type", "type"}));
  }
  return rope;
}

const Json* object_of(const Reading& reading, ConfigFields::Names names) {
  const Json* value = reading.fields.find(names);
  return value != nullptr && value->as_object() != nullptr ? value : nullptr;
}

// rope_parameters or rope_scaling, or an object without members.
const Json& scaling_of(const Reading& reading) {
  static const Json kNone{Json::Object{}};
  const Json* scaling = object_of(reading, {"rope_parameters", "rope_scaling"});
  return scaling != nullptr ? *scaling : kNone;
}

double read_theta(Reading& reading, ConfigFields& scaling, ConfigFields::Names outer_names,
                  double absent) {
  const double outer = reading.fields.real_or(outer_names, 1e-3, kThetaMax, absent);
  return scaling.real_or({"rope_theta"}, 1e-3, kThetaMax, outer);
}

int64_t rope_dim_of(Reading& reading, ConfigFields& scaling, double absent_part) {
  const double outer =
      reading.fields.real_or({"partial_rotary_factor", "rotary_pct"}, 0, 1, absent_part);
  const double part = scaling.real_or({"partial_rotary_factor"}, 0, 1, outer);
  const auto dim = static_cast<int64_t>(static_cast<double>(reading.config.head_dim) * part);
  if (dim < 2 || dim % 2 != 0) {
    reading.fields.fail("partial_rotary_factor", "config field is unusable",
                        "an even number of values of a head that are turned",
                        reading.fields.find({"partial_rotary_factor"}));
    return 2;
  }
  return dim;
}

}  // namespace

void read_rope(Reading& reading, double absent_part) {
  ConfigFields scaling(scaling_of(reading), reading.fields.path(), "rope_parameters.");
  const double theta = read_theta(reading, scaling, {"rope_theta"}, kDefaultTheta);
  const int64_t dim = rope_dim_of(reading, scaling, absent_part);
  reading.config.ropes = {make_rope(reading, scaling, theta, dim)};
  if (scaling.error()) reading.fields.fail(*scaling.error());
}

void read_rope_by_layer_type(Reading& reading, double absent_theta,
                             std::optional<double> absent_windowed_theta) {
  const Json& whole = scaling_of(reading);
  const Json* full = whole.find("full_attention");
  const Json* local = whole.find("sliding_attention");
  ConfigFields full_fields(full != nullptr ? *full : whole, reading.fields.path(),
                           "rope_parameters.full_attention.");
  static const Json kNone{Json::Object{}};
  ConfigFields local_fields(local != nullptr ? *local : kNone, reading.fields.path(),
                            "rope_parameters.sliding_attention.");
  const double theta = read_theta(reading, full_fields, {"rope_theta"}, absent_theta);
  const double local_theta = read_theta(reading, local_fields, {"rope_local_base_freq"},
                                        absent_windowed_theta.value_or(theta));
  const int64_t dim = reading.config.head_dim;
  reading.config.ropes = {make_rope(reading, full_fields, theta, dim),
                          make_rope(reading, local_fields, local_theta, dim)};
  for (LayerConfig& layer : reading.config.layers) layer.rope = layer.window_tokens > 0 ? 1 : 0;
  for (const ConfigFields* one : {&full_fields, &local_fields}) {
    if (one->error()) reading.fields.fail(*one->error());
  }
}

double read_latent_rope(Reading& reading, int64_t rope_dim) {
  ConfigFields scaling(scaling_of(reading), reading.fields.path(), "rope_parameters.");
  const double theta = read_theta(reading, scaling, {"rope_theta"}, kDefaultTheta);
  reading.config.ropes = {make_rope(reading, scaling, theta, rope_dim)};
  double on_scores = 1;
  if (scaling.text_or({"rope_type", "type"}, "default") != "default") {
    const double of_all = scaling.real_or({"mscale_all_dim"}, 0, kFactorMax, 0);
    const double factor = scaling.real_or({"factor"}, 1, kFactorMax, 1);
    const double magnitude = yarn_magnitude(factor, of_all);
    if (of_all != 0) on_scores = magnitude * magnitude;
  }
  if (scaling.error()) reading.fields.fail(*scaling.error());
  return on_scores;
}

}  // namespace kvasir::model::decoder
