#include "calibration/calibration.h"

#include <algorithm>

namespace kvasir::calibration {

const RowFacts* Calibration::find(int64_t layer, RowKind kind) const {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const RowFacts& one) {
    return one.layer == layer && one.kind == kind;
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace kvasir::calibration
