// These functions write what `kvasir bench remote` measured: as text, as JSON, as rows of a table
// in a file that several runs share, one over each link, and as a chart of that table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "bench/remote_speed.h"
#include "eval/line_chart.h"
#include "kvasir/result.h"

namespace kvasir::cli {

Json to_json(const bench::RemoteTimes& times);
Json to_json(const bench::RemoteConversation& conversation);
std::string text_of(const std::vector<bench::RemoteTimes>& all);
std::string text_of(const bench::RemoteConversation& conversation);

// One row: a prompt whose cache came over a link.
struct LinkTimes {
  std::string link;  // what people call it; no commas
  int64_t tokens = 0;
  double cold_ms = 0;
  double remote_ms = 0;
  double local_ms = 0;
};

// A table is a CSV file. Where there is none it has no rows. Error: it is no such table, or cannot
// be read.
Result<std::vector<LinkTimes>> read_table(const std::string& path);
// Replaces it. Error: it cannot be written.
Status write_table(const std::string& path, const std::vector<LinkTimes>& rows);

// Computed and from the own store as the first link's run says, and brought over each link.
eval::LineChart chart_of(const std::vector<LinkTimes>& rows);

}  // namespace kvasir::cli
