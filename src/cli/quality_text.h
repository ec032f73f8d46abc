// These functions write measured quality, for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "plan/quality.h"

namespace kvasir::cli {

// What a plan says of its precision: what was measured, or that nothing was. Lines of 80 columns.
void print_quality(const plan::Quality& quality);
Json quality_json(const plan::Quality& quality);
// One precision with all that is known of how it was measured.
Json finding_json(const plan::Finding& finding);

// "0.00383", "1e-06"
std::string kl_text(double kl);
// What was measured of a coding of that name, the first of `measurements` that has it, as in
// "gqa 0.00383"; empty: nothing.
std::string measured_cell(const std::string& coding,
                          const std::vector<plan::Measurement>& measurements);
// What of a measurement loses least for its bits.
void print_best(const plan::Measurement& measurement);

}  // namespace kvasir::cli
