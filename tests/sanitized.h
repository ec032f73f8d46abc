// Says how many of its cases a test runs. Sanitizers slow a case some ten times and look for other
// faults than wrong results, so there a test runs a share; the release build runs all.
#pragma once

#include <cstdint>

namespace kvasir::testing {

#if defined(KVASIR_SANITIZED)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

constexpr int64_t cases(int64_t all, int64_t under_sanitizers) {
  return kIsSanitized ? under_sanitizers : all;
}

}  // namespace kvasir::testing
