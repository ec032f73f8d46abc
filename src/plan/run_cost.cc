// What a run of Kvasir takes besides weights and cache.
#include <optional>

#include "kv/layout.h"
#include "kvasir/plan.h"
#include "model/decoder/footprint.h"
#include "model/decoder/geometry.h"
#include "plan/cost.h"
#include "plan/own_cache.h"

namespace kvasir::plan {
namespace {

// How the decoder would lay its cache out; null: it does not hold one so.
std::optional<kv::CacheLayout> layout_of_decoder(const CacheModel& model,
                                                 const CostOptions& options) {
  // Native is planned as DeepSeek's own code holds it, which no run does.
  const bool is_others = model.holds_latents_in_fp8 && options.precision == "native";
  if (!model.decoder || is_others || !is_held_by_decoder(model, options)) return std::nullopt;
  const auto spec = model::decoder::cache_spec(model.decoder->config, options.precision);
  return spec.ok() ? std::optional(kv::make_layout(*spec)) : std::nullopt;
}

bool runs_as_deepseek_v4(const CacheModel& model, const CostOptions& options) {
  return model.runs_here && is_of_kvasir(model, options);
}

bool is_run(const CacheModel& model, const CostOptions& options) {
  return runs_as_deepseek_v4(model, options) || layout_of_decoder(model, options);
}

}  // namespace

int64_t pass_buffer_bytes(const CacheModel& model, const CostOptions& options,
                          int64_t context_tokens, int thread_count) {
  if (runs_as_deepseek_v4(model, options)) {
    return pass_buffers_of_deepseek_v4(model, options, context_tokens, thread_count);
  }
  const auto layout = layout_of_decoder(model, options);
  if (!layout) return 0;
  return model::decoder::pass_buffer_bytes(
      model.decoder->config, *layout,
      {.token_capacity = options.pass_tokens, .thread_count = thread_count}, context_tokens);
}

std::optional<int64_t> copied_bytes(const CacheModel& model, const CostOptions& options) {
  if (!is_run(model, options) || !model.copied_bytes) return std::nullopt;
  return *model.copied_bytes - mapped_panel_bytes(model, options);
}

int64_t mapped_panel_bytes(const CacheModel& model, const CostOptions& options) {
  return options.maps_panels && is_run(model, options) ? model.panels_bytes : 0;
}

}  // namespace kvasir::plan
