#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "plan/cost.h"

namespace kvasir::plan {
namespace {

// The engine's codec of rows in that precision; null: it has none. Its native one is bf16.
const kernels::Codec* codec_for(const CacheModel& model, const Precision& rows) {
  constexpr std::string_view kHeld[] = {"bf16", "f16", "f32"};
  constexpr int64_t kHalfBytes = 2;
  const bool is_native_half = rows.scheme == Scheme::kNative && !model.holds_latents_in_fp8 &&
                              model.native_precision.empty() && model.value_bytes == kHalfBytes;
  const std::string_view name = is_native_half ? "bf16" : rows.name;
  const bool is_held = std::find(std::begin(kHeld), std::end(kHeld), name) != std::end(kHeld);
  return is_held ? kernels::find_codec(name) : nullptr;
}

// Draft layers are not run.
kv::CacheLayout layout_of(const CacheModel& model, kernels::CodecId codec) {
  kv::CacheSpec spec;
  for (kv::Layer layer : model.cache->layers) {
    if (layer.is_draft) continue;
    for (kv::Stream& stream : layer.streams) stream.codec = codec;
    spec.layers.push_back(std::move(layer));
  }
  return kv::make_layout(spec);
}

bool is_held_here(const CacheModel& model, const CostOptions& options,
                  const ChosenPrecisions& chosen) {
  const bool has_blocks = options.page_tokens == 1 || options.page_tokens == kv::kBlockTokens;
  return model.picked_latents_max > 0 && has_blocks && options.tensor_parallel == 1 &&
         !options.with_draft && (chosen.index == nullptr || chosen.index == chosen.rows);
}

// One term for the streams of a block that are cold, one for those that are not.
void add_rows(const kv::CacheLayout& layout, Growth::Rounding rounding, std::vector<Term>& out) {
  Term latents{.part = "latents", .bytes = layout.cold_bytes, .growth = per_block(rounding)};
  Term keys{.part = "index keys", .bytes = layout.hot_bytes, .growth = per_block(rounding)};
  for (const kv::StreamLayout& stream : layout.streams) {
    ++(stream.is_cold() ? latents : keys).layer_count;
  }
  out.push_back(latents);
  out.push_back(keys);
}

}  // namespace

void add_reading(const kv::CacheLayout& layout, const persist::PassNeeds& needs,
                 std::vector<Term>& ram_cold) {
  constexpr const char* kReading = "reading cold rows";
  const persist::ColdFootprint cold = persist::cold_footprint(layout, needs);
  ram_cold.push_back({.part = kReading,
                      .bytes = cold.read_bytes + cold.pass_bytes,
                      .growth = {.is_fixed = true},
                      .is_once = true,
                      .is_state = true});
  ram_cold.push_back({.part = kReading,
                      .bytes = cold.bytes_per_block,
                      .growth = per_block(Growth::Rounding::kUp),
                      .is_state = true});
}

void add_records(const kv::CacheLayout& layout, std::vector<Term>& ssd) {
  constexpr const char* kStates = "boundary states";
  ssd.push_back({.part = "record headers",
                 .bytes = persist::stored_block_bytes(layout) - layout.block_bytes(),
                 .growth = per_block(Growth::Rounding::kDown),
                 .is_state = true});
  const int64_t state_bytes = persist::stored_state_bytes(layout);
  ssd.push_back(
      {.part = kStates, .bytes = state_bytes, .growth = {.is_fixed = true}, .is_state = true});
  ssd.push_back({.part = kStates,
                 .bytes = state_bytes,
                 .growth = {.unit_tokens = persist::kStateIntervalTokens},
                 .is_state = true});
}

std::optional<RecordSizes> records_of(const kv::CacheLayout& layout) {
  if (layout.block_bytes() == 0) return std::nullopt;
  const bool has_states = layout.boundary_state_bytes() > 0;
  return RecordSizes{.block_bytes = persist::stored_block_bytes(layout),
                     .state_bytes = has_states ? persist::stored_state_bytes(layout) : 0};
}

void add_stored(const CacheModel& model, const CostOptions& options, const ChosenPrecisions& chosen,
                CacheCost& cost) {
  const kernels::Codec* codec = codec_for(model, *chosen.rows);
  const bool has_cold = is_held_here(model, options, chosen);
  if (codec == nullptr || !(has_cold || is_held_by_decoder(model, options))) return;
  const kv::CacheLayout layout = layout_of(model, codec->id);
  cost.records = records_of(layout);
  if (!has_cold) return;
  const persist::PassNeeds needs{.tokens_max = options.pass_tokens,
                                 .picked_rows_max = model.picked_latents_max};
  add_rows(layout, Growth::Rounding::kUp, cost.ram_cold);
  Term& latents = cost.ram_cold.front();
  latents.bytes = persist::cold_footprint(layout, needs).rows_bytes_min;
  latents.growth = {.is_fixed = true};
  latents.is_once = true;
  add_reading(layout, needs, cost.ram_cold);
  add_rows(layout, Growth::Rounding::kDown, cost.ssd);
  add_records(layout, cost.ssd);
}

}  // namespace kvasir::plan
