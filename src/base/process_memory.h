// These functions ask the system how much memory this process holds. Linux.
#pragma once

#include <cstdint>

namespace kvasir {

// The memory that is resident now. 0 where the system does not say.
int64_t rss_bytes();

// The most memory that was resident at one time since the process started, or since the last
// forget_rss_peak. 0 where the system does not say.
int64_t rss_peak_bytes();

// Gives freed memory back and starts a new peak. Does nothing where the system cannot.
void forget_rss_peak();

}  // namespace kvasir
