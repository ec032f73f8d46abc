#include "store/metrics.h"

#include "base/check.h"

namespace kvasir {
namespace {

constexpr std::array<const char*, kStoreMetricCount> kNames = {
    "lookups",        "requested_tokens",  "hit_tokens",      "ram_read_blocks",
    "ram_read_bytes", "disk_read_records", "disk_read_bytes", "disk_read_us",
    "piece_reads",    "piece_read_bytes",  "piece_read_us",   "written_records",
    "written_bytes",  "write_us",          "duplicate_puts",  "verify_failures",
    "io_failures",    "no_room",           "evicted_states",  "evicted_blocks",
    "evicted_bytes",  "cleaned_segments",  "rewritten_bytes", "dropped_segments",
};
static_assert(static_cast<size_t>(StoreMetric::kDroppedSegments) + 1 == kStoreMetricCount);

}  // namespace

const char* name_of(StoreMetric metric) {
  const auto index = static_cast<size_t>(metric);
  KVASIR_CHECK(index < kNames.size(), "a known metric");
  return kNames[index];
}

namespace store {

StoreMetrics Metrics::snapshot() const {
  StoreMetrics snapshot;
  for (size_t i = 0; i < kStoreMetricCount; ++i) {
    snapshot.values[i] = values_[i].load(std::memory_order_relaxed);
  }
  return snapshot;
}

}  // namespace store
}  // namespace kvasir
