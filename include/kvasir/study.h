// StudyOptions ask an engine for more than running the model as it is meant, to measure the cache:
// to hide rows from attention, and to report which rows were picked.
//
// Plain values. The rows of a study are other rows, so a store keeps them apart from those of the
// model as it is meant.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace kvasir {

// VisibleRows are the compressed rows that attention may see. The whole cache is kept all the same;
// hiding a part shows what it is worth.
struct VisibleRows {
  bool picked = true;       // rows of layers whose indexer picks what a token attends
  bool unpicked = true;     // compressed rows that every later token attends
  int64_t index_top_k = 0;  // rows the indexer picks at most; 0: as the model's config says

  bool operator==(const VisibleRows&) const = default;
};

// A PickSink is called with the compressed rows that a token's query picked in a layer, ascending.
// All tokens of a pass come for one layer, then for the next. It is called on the engine's thread.
using PickSink =
    std::function<void(int64_t layer, int64_t position, std::span<const int32_t> rows)>;

struct StudyOptions {
  VisibleRows visible_rows;
  PickSink on_picks;  // may be empty
};

}  // namespace kvasir
