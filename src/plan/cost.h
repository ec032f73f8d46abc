// These functions make the terms of a cache's cost, one function for each kind of model. They are
// pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kv/coding.h"
#include "kv/layout.h"
#include "kvasir/plan.h"
#include "persist/footprint.h"
#include "plan/precision.h"

namespace kvasir::plan {

// ChosenPrecisions are the formats that the options ask for.
struct ChosenPrecisions {
  const Precision* rows = nullptr;
  const Precision* index = nullptr;  // null: what goes with the rows
  int64_t state_bytes = 4;           // a value's
};

// How often a block is held: begun ones (kUp) or whole ones (kDown).
inline Growth per_block(Growth::Rounding rounding) {
  return {.unit_tokens = kv::kBlockTokens, .rounding = rounding};
}

// Returns the terms of the vectors and states of any model but DeepSeek-V4. Errors: as cache_cost.
Result<CacheCost> cost_of_streams(const CacheModel& model, const CostOptions& options,
                                  const ChosenPrecisions& chosen);
// Returns what --kv says where it is no published format's name; nothing where it is, or says
// nothing.
std::optional<kv::CachePrecision> coding_called(const std::string& name);
// Returns the terms of a cache that is coded as --kv says, from the layout that an engine makes of
// it. Errors: a model whose streams cannot be coded so, options that only others' formats have.
Result<CacheCost> cost_of_coded(const CacheModel& model, const CostOptions& options,
                                const kv::CachePrecision& precision);
// Returns whether the terms are those of a decoder's own allocation.
bool is_held_by_decoder(const CacheModel& model, const CostOptions& options);
// Adds what Kvasir's records take, and what it costs to hold on SSD the latents that are picked,
// where it can. `ram` is there.
void add_stored(const CacheModel& model, const CostOptions& options, const ChosenPrecisions& chosen,
                CacheCost& cost);
// The same terms for every layout with cold rows: what is read, and what is on its way to the
// store. And those of a store's records beside the rows, and of its states.
void add_reading(const kv::CacheLayout& layout, const persist::PassNeeds& needs,
                 std::vector<Term>& ram_cold);
void add_records(const kv::CacheLayout& layout, std::vector<Term>& ssd);
// Null: there are no blocks.
std::optional<RecordSizes> records_of(const kv::CacheLayout& layout);
// Returns the terms of DeepSeek-V4, from the engine's own layout. Errors: as cache_cost.
Result<CacheCost> cost_of_deepseek_v4(const CacheModel& model, const CostOptions& options,
                                      const ChosenPrecisions& chosen);
// The same where rows and index keys are coded as --kv says in words of its own. Errors: as
// model/deepseek_v4/geometry.h, options that only others' formats have.
Result<CacheCost> cost_of_coded_deepseek_v4(const CacheModel& model, const CostOptions& options);
// Returns pass_buffer_bytes of a DeepSeek-V4 that Kvasir runs so.
int64_t pass_buffers_of_deepseek_v4(const CacheModel& model, const CostOptions& options,
                                    int64_t context_tokens, int thread_count);

}  // namespace kvasir::plan
