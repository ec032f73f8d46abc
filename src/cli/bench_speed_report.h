// These functions show what kvasir bench prefill and decode measured: tokens per second, what a
// token reads and multiplies as shares of what the machine can do, and which parts of a pass take
// the time. They own nothing.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "bench/engine_speed.h"
#include "bench/kernel_limits.h"

namespace kvasir::cli {

// A table of the parts of one depth; nothing of shares where `limits` is empty.
void print_speed(const bench::SpeedOptions& options, const bench::Speed& speed,
                 std::span<const bench::Measurement> limits, int thread_count);

Json speeds_json(std::span<const bench::Speed> speeds, std::span<const bench::Measurement> limits);

// "12.3 G" for 1.23e10.
std::string with_prefix(double value);

}  // namespace kvasir::cli
