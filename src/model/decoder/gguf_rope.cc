#include "model/decoder/gguf_rope.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace kvasir::model::decoder {
namespace {

constexpr std::string_view kFactor = "rope.scaling.attn_factor";
constexpr std::string_view kOriginal = "rope.scaling.original_context_length";

void add_if_there(const GgufKeys& keys, std::string_view key, std::string_view field,
                  Json::Object& rope) {
  if (keys.has(key)) rope.emplace_back(field, keys.real(key, 0));
}

// The file holds 0.1 times mscale_all_dim, and mscale is the same.
void add_yarn_magnitude(const GgufKeys& keys, Json::Object& rope) {
  const double factor = keys.real("rope.scaling.yarn_attn_factor", 0);
  if (factor > 0) rope.emplace_back("attention_factor", factor);
  const double multiplier = keys.real("rope.scaling.yarn_log_multiplier", 0);
  if (multiplier == 0) return;
  rope.emplace_back("mscale", 10 * multiplier);
  rope.emplace_back("mscale_all_dim", 10 * multiplier);
}

Error refusal(std::string_view where, std::string_view key, std::string expected,
              std::string found) {
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "key asks for what is not supported",
               .where = fmt::format("{}: {}", where, key),
               .expected = std::move(expected),
               .found = std::move(found)};
}

}  // namespace

Json gguf_rope(const GgufKeys& keys, double theta, bool truncates, bool is_scaled) {
  Json::Object rope{{"rope_theta", theta}};
  if (!is_scaled) return Json(std::move(rope));
  const std::string_view type = keys.text("rope.scaling.type", "");
  const double linear = keys.real("rope.scale_linear", 0);
  if (type.empty() && linear > 0) {
    rope.emplace_back("rope_type", "linear");
    rope.emplace_back("factor", linear);
  }
  // The factors of longrope are tensors.
  if (type.empty() || type == "none" || type == "longrope") return Json(std::move(rope));
  rope.emplace_back("rope_type", std::string(type));
  rope.emplace_back("factor", keys.real("rope.scaling.factor", 1));
  if (keys.has(kOriginal)) {
    rope.emplace_back("original_max_position_embeddings", keys.integer(kOriginal, 0));
  }
  add_if_there(keys, "rope.scaling.yarn_beta_fast", "beta_fast", rope);
  add_if_there(keys, "rope.scaling.yarn_beta_slow", "beta_slow", rope);
  rope.emplace_back("truncate", truncates);
  add_yarn_magnitude(keys, rope);
  return Json(std::move(rope));
}

Status read_gguf_longrope(const GgufKeys& keys, std::string_view where, int64_t context_tokens,
                          Config& config) {
  constexpr double kFactorMax = 1e9;
  const int64_t original = keys.integer(kOriginal, 0);
  const int64_t context = context_tokens > 0 ? context_tokens : config.context_tokens_max;
  config.takes_long_divisors = original > 0 && context > original;
  if (!keys.has(kFactor)) {
    if (keys.text("rope.scaling.type", "") != "longrope") return ok_status();
    return refusal(where, "rope.scaling.type", fmt::format("{} beside longrope", kFactor), "none");
  }
  const double factor = keys.real(kFactor, 0);
  if (!(factor > 0 && factor <= kFactorMax)) {
    return refusal(where, kFactor, "a number above 0", fmt::format("{}", factor));
  }
  for (Rope& rope : config.ropes) rope.magnitude *= factor;
  return ok_status();
}

}  // namespace kvasir::model::decoder
