// These functions print what `kvasir eval codecs` found: as a table, JSON, CSV and a chart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/codec_rank.h"
#include "eval/scatter_chart.h"

namespace kvasir::cli {

// tokens: of the longest text, the length that sessions had.
void print_codecs(const std::vector<eval::RankedCodec>& codecs, int64_t tokens);
Json codecs_json(const std::vector<eval::RankedCodec>& codecs, int64_t tokens);
std::string codecs_csv(const std::vector<eval::RankedCodec>& codecs, int64_t tokens);
eval::ScatterChart codecs_chart(const std::vector<eval::RankedCodec>& codecs);

}  // namespace kvasir::cli
