// Metrics are the counters of an open store. Any thread may add and read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "kvasir/store.h"

namespace kvasir::store {

class Metrics {
 public:
  void add(StoreMetric metric, int64_t count) {
    values_[static_cast<size_t>(metric)].fetch_add(count, std::memory_order_relaxed);
  }
  int64_t operator[](StoreMetric metric) const {
    return values_[static_cast<size_t>(metric)].load(std::memory_order_relaxed);
  }
  StoreMetrics snapshot() const;

 private:
  std::array<std::atomic<int64_t>, kStoreMetricCount> values_{};
};

}  // namespace kvasir::store
