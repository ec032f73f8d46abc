// These functions print what `kvasir bench serve` has measured.
#pragma once

#include <span>

#include "base/json.h"
#include "bench/serve/scenarios.h"

namespace kvasir::cli {

void print_load_heading();
void print_load(const bench::ScenarioResult& result);
// The first server's figures by those of the other.
void print_load_ratio(const bench::ScenarioResult& one, const bench::ScenarioResult& other);

Json load_json(std::span<const bench::ScenarioResult> results);

}  // namespace kvasir::cli
