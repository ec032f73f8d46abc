#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "kv/layout.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/workspace.h"
#include "model/model.h"
#include "persist/footprint.h"
#include "plan/cost.h"
#include "plan/own_cache.h"

namespace kvasir::plan {

using model::deepseek_v4::cache_spec;
using model::deepseek_v4::Config;
using model::deepseek_v4::geometry_of;
using model::deepseek_v4::kCsaRatio;
using model::deepseek_v4::kHcaRatio;
using model::deepseek_v4::Workspace;

namespace {

constexpr const char* kWindows = "raw windows";
constexpr const char* kColdRows = "CSA rows";
constexpr const char* kIndexKeys = "CSA index keys";
constexpr const char* kHotRows = "HCA rows";
constexpr const char* kCompressor = "compressor state";

static_assert(kPassTokensMax == model::kPassTokensMax, "a chunk is planned as the engine takes it");

// Blocks of rows as FlashMLA pads them.
constexpr int64_t kPaddedRows = 64;
constexpr int64_t kPaddingBytes = 576;

int64_t padded(int64_t bytes) {
  return (bytes + kPaddingBytes - 1) / kPaddingBytes * kPaddingBytes;
}

bool engine_holds(const Config& config, std::string_view precision) {
  return cache_spec(config, precision).ok();
}

// A Part is what one block holds of the layers of one kind, or all windows.
struct Part {
  const char* name = "";
  int64_t layer_count = 0;
  int64_t rows = 0;   // of all these layers
  int64_t bytes = 0;  // as the engine holds them
};

struct Parts {
  Part windows{kWindows};
  Part cold{kColdRows};
  Part keys{kIndexKeys};
  Part hot{kHotRows};
};

Parts parts_of(const kv::CacheLayout& layout) {
  Parts parts;
  for (const kv::StreamLayout& stream : layout.streams) {
    Part& part = !stream.is_in_blocks()                     ? parts.windows
                 : stream.spec.role == kv::Role::kIndexKeys ? parts.keys
                 : stream.is_cold()                         ? parts.cold
                                                            : parts.hot;
    const int64_t rows = stream.is_in_blocks() ? stream.rows_per_block : stream.spec.window_tokens;
    ++part.layer_count;
    part.rows += rows;
    part.bytes += rows * stream.row_bytes;
  }
  return parts;
}

// The same where a row takes so many bytes.
Parts parts_of(const kv::CacheLayout& layout, int64_t row_bytes, int64_t key_bytes) {
  Parts parts = parts_of(layout);
  for (Part* part : {&parts.windows, &parts.cold, &parts.hot}) part->bytes = part->rows * row_bytes;
  parts.keys.bytes = parts.keys.rows * key_bytes;
  return parts;
}

int64_t window_tokens_of(const kv::CacheLayout& layout) {
  return layout.streams.front().spec.window_tokens;
}

void add_part(const Part& part, const Growth& growth, std::vector<Term>& out) {
  if (part.layer_count == 0) return;
  out.push_back(
      {.part = part.name, .layer_count = part.layer_count, .bytes = part.bytes, .growth = growth});
}

void add_fixed(const char* part, int64_t bytes, bool is_state, std::vector<Term>& out) {
  out.push_back({.part = part, .bytes = bytes, .growth = {.is_fixed = true}, .is_state = is_state});
}

// The engine's, whatever a row takes.
std::vector<Term> terms_in_blocks(const kv::CacheLayout& layout, const Parts& parts) {
  std::vector<Term> terms;
  const Growth begun = per_block(Growth::Rounding::kUp);
  add_part(parts.windows, {.is_fixed = true}, terms);
  add_part(parts.cold, begun, terms);
  add_part(parts.keys, begun, terms);
  add_part(parts.hot, begun, terms);
  add_fixed(kCompressor, layout.ring_floats * static_cast<int64_t>(sizeof(float)), true, terms);
  return terms;
}

// Rows of each layer in padded blocks of 64, whose tokens depend on the layer's ratio.
std::vector<Term> terms_in_padded_blocks(const kv::CacheLayout& layout, int64_t key_bytes) {
  const int64_t block_bytes = padded(kPaddedRows * geometry_of(layout).row.bytes());
  const int64_t window_blocks = (window_tokens_of(layout) + kPaddedRows - 1) / kPaddedRows;
  std::vector<Term> terms =
      terms_in_blocks(layout, parts_of(layout, geometry_of(layout).row.bytes(), key_bytes));
  for (Term& term : terms) {
    if (term.part == kWindows) term.bytes = term.layer_count * window_blocks * block_bytes;
    if (term.part != kColdRows && term.part != kHotRows) continue;
    term.bytes = term.layer_count * block_bytes;
    term.growth.unit_tokens = kPaddedRows * (term.part == kColdRows ? kCsaRatio : kHcaRatio);
  }
  return terms;
}

// With cold rows on SSD: of these only as many as two groups of picks need.
std::vector<Term> terms_of_hot_parts(const kv::CacheLayout& layout,
                                     const persist::PassNeeds& needs) {
  const persist::ColdFootprint cold = persist::cold_footprint(layout, needs);
  std::vector<Term> terms = terms_in_blocks(layout, parts_of(layout));
  for (Term& term : terms) {
    if (term.part != kColdRows) continue;
    term.bytes = cold.rows_bytes_min;
    term.growth = {.is_fixed = true};
    term.is_once = true;
  }
  add_reading(layout, needs, terms);
  return terms;
}

// Returns the terms of a sequence's whole blocks, and of the states it can be continued from.
std::vector<Term> terms_on_disk(const kv::CacheLayout& layout) {
  const Parts parts = parts_of(layout);
  const Growth sealed = per_block(Growth::Rounding::kDown);
  std::vector<Term> terms;
  add_part(parts.cold, sealed, terms);
  add_part(parts.keys, sealed, terms);
  add_part(parts.hot, sealed, terms);
  add_records(layout, terms);
  return terms;
}

// Engines with other pages, or whose prefix cache keeps every raw row: not Kvasir, so no tiers.
void allocate_as_others(const CostOptions& options, int64_t window_tokens,
                        std::vector<Term>& terms) {
  for (Term& term : terms) {
    if (term.is_state) continue;
    term.growth.page_tokens = options.page_tokens;
    if (term.part != kWindows || !options.keeps_whole_windows) continue;
    term.bytes /= window_tokens;
    term.growth = {.page_tokens = options.page_tokens};
  }
}

const Config& config_of(const CacheModel& model, const CostOptions& options) {
  return options.with_draft ? model.own->with_draft : model.own->config;
}

// As the engine would lay it out; of a precision that it does not have, as its native one.
kv::CacheLayout layout_of(const Config& config, std::string_view rows) {
  const auto spec = cache_spec(config, engine_holds(config, rows) ? rows : "native");
  KVASIR_CHECK(spec.ok(), "a precision that the engine has");
  return kv::make_layout(*spec);
}

// Chosen apart, or as the rows are; native where those are padded.
int64_t key_bytes_of(const Config& config, const kv::CacheLayout& layout,
                     const ChosenPrecisions& chosen) {
  const Precision& keys = chosen.index != nullptr ? *chosen.index : *chosen.rows;
  if (keys.scheme == Scheme::kNumbers) return keys.key.bytes(1, geometry_of(layout).key.dim);
  return keys.scheme == Scheme::kNative ? geometry_of(layout_of(config, keys.name)).key.bytes()
                                        : geometry_of(layout).key.bytes();
}

persist::PassNeeds needs_of(const Config& config, const CostOptions& options) {
  return {.tokens_max = options.pass_tokens, .picked_rows_max = config.index_top_k};
}

// What the same rows take on SSD, and beside it in RAM.
void add_tiers(const kv::CacheLayout& layout, const persist::PassNeeds& needs, CacheCost& cost) {
  cost.records = records_of(layout);
  if (!cost.records) return;
  cost.ssd = terms_on_disk(layout);
  if (layout.cold_bytes > 0) cost.ram_cold = terms_of_hot_parts(layout, needs);
}

std::vector<std::string> notes_on(const CacheModel& model, const CostOptions& options) {
  std::vector<std::string> notes;
  if (!options.state_precision.empty()) {
    notes.emplace_back("state precision: this model has no recurrent states");
  }
  if (options.with_draft && model.own->with_draft.layer_count == model.own->config.layer_count) {
    notes.emplace_back("drafts: no draft layers are known of this model");
  }
  return notes;
}

}  // namespace

Result<CacheCost> cost_of_deepseek_v4(const CacheModel& model, const CostOptions& options,
                                      const ChosenPrecisions& chosen) {
  const Precision& rows = *chosen.rows;
  const Config& config = config_of(model, options);
  const bool own = engine_holds(config, rows.name);
  const kv::CacheLayout layout = layout_of(config, rows.name);
  const bool is_padded = rows.scheme == Scheme::kFlashMla;
  if (!own && !is_padded && (rows.scheme != Scheme::kNumbers || rows.for_heads_only)) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "this precision says nothing about such a cache",
                 .field = "precision",
                 .expected = "one that holds single vectors",
                 .found = std::string(rows.name) + " for DeepSeek-V4's rows"};
  }
  if (is_padded && (options.page_tokens > 1 || options.keeps_whole_windows)) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "flashmla has pages of its own and keeps its windows",
                 .field = "precision",
                 .expected = "pages of one token and windows as they are",
                 .found = "one of them"};
  }
  CacheCost cost{.notes = notes_on(model, options)};
  const int64_t key_bytes = key_bytes_of(config, layout, chosen);
  if (is_padded) {
    cost.ram = terms_in_padded_blocks(layout, key_bytes);
    return cost;
  }
  const int64_t row_bytes =
      own ? geometry_of(layout).row.bytes() : rows.key.bytes(1, config.head_dim);
  cost.ram = terms_in_blocks(layout, parts_of(layout, row_bytes, key_bytes));
  if (options.page_tokens > 1 || options.keeps_whole_windows) {
    allocate_as_others(options, window_tokens_of(layout), cost.ram);
  }
  if (!is_of_kvasir(model, options) || key_bytes != geometry_of(layout).key.bytes()) return cost;
  add_tiers(layout, needs_of(config, options), cost);
  return cost;
}

Result<CacheCost> cost_of_coded_deepseek_v4(const CacheModel& model, const CostOptions& options) {
  const Config& config = config_of(model, options);
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheSpec spec, cache_spec(config, options.precision));
  if (!is_of_kvasir(model, options) || !options.index_precision.empty()) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "rows and index keys that are coded apart are planned as held here",
                 .field = "precision",
                 .expected = "no pages, ranks, whole windows or precision of index keys",
                 .found = options.precision};
  }
  const kv::CacheLayout layout = kv::make_layout(spec);
  CacheCost cost{.ram = terms_in_blocks(layout, parts_of(layout)),
                 .notes = notes_on(model, options)};
  add_tiers(layout, needs_of(config, options), cost);
  return cost;
}

bool is_of_kvasir(const CacheModel& model, const CostOptions& options) {
  return model.own != nullptr && engine_holds(model.own->config, options.precision) &&
         options.page_tokens == 1 && !options.keeps_whole_windows && options.tensor_parallel == 1;
}

int64_t pass_buffers_of_deepseek_v4(const CacheModel& model, const CostOptions& options,
                                    int64_t context_tokens, int thread_count) {
  const Config& config = model.own->config;
  const kv::CacheLayout layout = layout_of(config, options.precision);
  return Workspace::bytes_for(config, geometry_of(layout), options.pass_tokens, thread_count) +
         Workspace::length_bytes_max(config, context_tokens, thread_count);
}

}  // namespace kvasir::plan
