// These functions print what `kvasir eval` found, as tables, JSON and charts.
#pragma once

#include <vector>

#include "base/json.h"
#include "eval/line_chart.h"
#include "eval/perplexity.h"
#include "eval/recall.h"

namespace kvasir::cli {

void print_recall(const std::vector<eval::RecallRow>& rows);
Json recall_json(const std::vector<eval::RecallRow>& rows);
eval::LineChart recall_chart(const std::vector<eval::RecallRow>& rows);

void print_perplexity(const std::vector<eval::PerplexityRow>& rows);
Json perplexity_json(const std::vector<eval::PerplexityRow>& rows);
eval::LineChart perplexity_chart(const std::vector<eval::PerplexityRow>& rows);

}  // namespace kvasir::cli
