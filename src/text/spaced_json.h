// spaced_json() writes JSON as models are shown it: blanks behind the separators, text as it is,
// names in the order they came in.
//
// A free function; any number of threads may call it.
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"

namespace kvasir::text {

// How numbers that are no integers are written. Those from 1e16 on have an exponent.
struct RealStyle {
  double plain_min = 0;      // smaller ones have an exponent
  size_t exponent_size = 1;  // at least so many digits
};

// REQUIRES: what was parsed, so that its depth is bounded.
std::string spaced_json(const Json& json, const RealStyle& reals);

}  // namespace kvasir::text
