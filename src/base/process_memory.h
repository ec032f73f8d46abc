// What this process holds of the machine's memory. Linux.
#pragma once

#include <cstdint>

namespace kvasir {

// The most that was resident at a time since the start, or since the peak was forgotten; 0 where
// the system does not say.
int64_t rss_peak_bytes();

// Gives freed memory back and lets the peak begin anew. Without effect where the system has no
// such thing.
void forget_rss_peak();

}  // namespace kvasir
