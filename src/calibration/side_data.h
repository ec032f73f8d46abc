// What was learnt of a model, as the codings of its streams take it. Any thread.
#pragma once

#include <memory>

#include "calibration/calibration.h"
#include "kv/side.h"

namespace kvasir::calibration {

// Errors of the source: nothing was learnt of that layer and kind, or of other vectors.
kv::SideSource side_source(std::shared_ptr<const Calibration> calibration);

}  // namespace kvasir::calibration
