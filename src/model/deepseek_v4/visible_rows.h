// VisibleRows and PickSink serve studies of the cache. VisibleRows hides compressed rows from
// attention, to measure what they are worth. A PickSink hears of the rows that were picked.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>

namespace kvasir::model {

struct VisibleRows {
  bool csa = true;
  bool hca = true;
  // Rows that the indexer picks at most, if that is less than the config says.
  int64_t index_top_k_max = std::numeric_limits<int64_t>::max();
};

// A layer, a token's position, and the rows that the indexer picked for it, ascending.
using PickSink = std::function<void(int64_t, int64_t, std::span<const int32_t>)>;

}  // namespace kvasir::model
