// A Calibration is what was learnt of a model from one text. A plain value.
#pragma once

#include <cstdint>
#include <vector>

#include "base/digest.h"
#include "calibration/facts.h"

namespace kvasir::calibration {

struct Calibration {
  Digest256 model{};  // of the model
  Digest256 text{};   // of the text
  int64_t token_count = 0;
  std::vector<RowFacts> rows;  // one for each layer and kind

  // Null: nothing was learnt of these.
  const RowFacts* find(int64_t layer, RowKind kind) const;

  bool operator==(const Calibration&) const = default;
};

}  // namespace kvasir::calibration
