// to_svg draws what clients waited for as one self-contained picture: for each scenario and server
// a bar from the median to the 99th percentile, on a logarithmic axis of milliseconds.
#pragma once

#include <span>
#include <string>

#include "bench/serve/scenarios.h"

namespace kvasir::bench {

std::string to_svg(std::span<const ScenarioResult> results);

}  // namespace kvasir::bench
