// A Bill sums the terms of a cost, for a load, by part of the cache.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/plan.h"

namespace kvasir::plan {

struct BillLine {
  std::string part;
  int64_t layer_count = 0;     // 0: of no particular layers
  double bytes_per_token = 0;  // of every further token, where the context has outgrown windows
  bool is_state = false;
  int64_t ram_bytes = 0;
  int64_t ram_cold_bytes = 0;
  int64_t ssd_bytes = 0;
};

struct Bill {
  std::vector<BillLine> lines;
  // The tokens' rows alone, and all that is allocated: rows, states and buffers of the cache.
  int64_t row_bytes = 0;
  int64_t ram_bytes = 0;
  // Kvasir only. Null: cold rows cannot stay on SSD with this model or precision.
  std::optional<int64_t> ram_cold_bytes;    // of the cache
  std::optional<int64_t> ram_budget_bytes;  // the least --ram for it
  std::optional<int64_t> ssd_bytes;
  std::optional<RecordSizes> records;  // null: as CacheCost's
  double bytes_per_token = 0;
  std::vector<std::string> notes;  // as of the cost

  // One rank's, when the weights are known.
  std::optional<int64_t> weight_bytes;
  int64_t pass_buffer_bytes = 0;
  std::optional<int64_t> copied_bytes;  // of the weights, on loading; null: not known
  int64_t mapped_panel_bytes = 0;       // in a file, as the weights are

  // What is in memory besides the cache.
  int64_t bytes_beside_cache() const {
    return weight_bytes.value_or(0) + pass_buffer_bytes + copied_bytes.value_or(0) +
           mapped_panel_bytes;
  }
};

// Error: as cache_cost.
Result<Bill> make_bill(const CacheModel& model, const CostOptions& options, const Load& load,
                       int thread_count);

}  // namespace kvasir::plan
