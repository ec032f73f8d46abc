// Which compressed rows attention may see. All of them, as the model means it, unless somebody
// measures what they are worth.
#pragma once

#include <cstdint>
#include <limits>

namespace kvasir::model {

struct VisibleRows {
  bool csa = true;
  bool hca = true;
  // Rows that the indexer picks at most, if that is less than the config says.
  int64_t index_top_k_max = std::numeric_limits<int64_t>::max();
};

}  // namespace kvasir::model
