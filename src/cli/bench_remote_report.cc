#include "cli/bench_remote_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/text_file.h"
#include "cli/size.h"

namespace kvasir::cli {
namespace {

constexpr const char* kHeading = "link,tokens,cold_ms,remote_ms,local_ms";

// Below which `share` of the calls lasted, as far as the buckets tell: one of their bounds, in
// milliseconds. Null: longer than the last.
Json bound_ms(const Histogram& seconds, double share) {
  const auto wanted = share * static_cast<double>(seconds.count);
  int64_t below = 0;
  for (size_t i = 0; i < seconds.bounds.size(); ++i) {
    below += seconds.counts[i];
    if (static_cast<double>(below) >= wanted) return Json(1000 * seconds.bounds[i]);
  }
  return Json();
}

double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

double cpu_s_per_gb(const bench::RemoteTimes& times) {
  return ratio(times.cpu_s, static_cast<double>(times.read_bytes) / 1e9);
}

double bytes_per_token(const bench::RemoteTimes& times) {
  return ratio(static_cast<double>(times.read_bytes), static_cast<double>(times.remote_tokens));
}

std::string calls_text(const std::vector<bench::RemoteTimes>& all) {
  std::string text = fmt::format("\n{:>9}  {:<7}  {:>7}  {:>10}  {:>10}\n", "tokens", "calls",
                                 "count", "p50 ms <=", "p99 ms <=");
  for (const bench::RemoteTimes& times : all) {
    for (size_t i = 0; i < kRemoteOperationCount; ++i) {
      const Histogram& seconds = times.seconds[i];
      if (seconds.count == 0) continue;
      text += fmt::format("{:>9}  {:<7}  {:>7}  {:>10}  {:>10}\n", times.tokens,
                          name_of(static_cast<RemoteOperation>(i)), seconds.count,
                          bound_ms(seconds, 0.5).dump(), bound_ms(seconds, 0.99).dump());
    }
  }
  return text;
}

Error bad_table(const std::string& path, const std::string& line) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "not a table of times over links",
               .where = path,
               .expected = kHeading,
               .found = line.substr(0, 80)};
}

// None: it is no row.
std::optional<LinkTimes> row_of(const std::string& line) {
  LinkTimes row;
  std::istringstream stream(line);
  std::getline(stream, row.link, ',');
  char comma = 0;
  stream >> row.tokens >> comma >> row.cold_ms >> comma >> row.remote_ms >> comma >> row.local_ms;
  const bool is_whole = !stream.fail() && stream.peek() == std::istringstream::traits_type::eof();
  const bool is_right =
      is_whole && row.tokens > 0 && std::min({row.cold_ms, row.remote_ms, row.local_ms}) > 0;
  return is_right ? std::optional(row) : std::nullopt;
}

}  // namespace

Json to_json(const bench::RemoteTimes& times) {
  Json::Object calls;
  for (size_t i = 0; i < kRemoteOperationCount; ++i) {
    const Histogram& seconds = times.seconds[i];
    calls.emplace_back(name_of(static_cast<RemoteOperation>(i)),
                       Json::Object{{"count", seconds.count},
                                    {"p50_ms_max", bound_ms(seconds, 0.5)},
                                    {"p99_ms_max", bound_ms(seconds, 0.99)}});
  }
  return Json::Object{{"tokens", times.tokens},
                      {"cold_ms", times.cold_ms},
                      {"remote_ms", times.remote_ms},
                      {"local_ms", times.local_ms},
                      {"remote_tokens", times.remote_tokens},
                      {"read_bytes", times.read_bytes},
                      {"round_trips", times.round_trips},
                      {"cpu_s", times.cpu_s},
                      {"ram_bytes", times.ram_bytes < 0 ? Json() : Json(times.ram_bytes)},
                      {"calls", std::move(calls)}};
}

Json to_json(const bench::RemoteConversation& conversation) {
  return Json::Object{{"turns", conversation.turns},
                      {"tokens", conversation.tokens},
                      {"written_objects", conversation.written_objects},
                      {"written_bytes", conversation.written_bytes},
                      {"store_bytes", conversation.store_bytes}};
}

std::string text_of(const std::vector<bench::RemoteTimes>& all) {
  std::string text = fmt::format(
      "{:>9}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}  {:>7}  {:>6}  {:>8}  {:>8}\n", "tokens", "cold",
      "remote", "local", "sooner x", "MB read", "B/token", "rounds", "CPU s/GB", "RAM");
  for (const bench::RemoteTimes& times : all) {
    text += fmt::format(
        "{:>9}  {:>9.1f}  {:>9.1f}  {:>8.1f}  {:>8.1f}  {:>8.1f}  {:>7.0f}  {:>6}  {:>8.2f}  "
        "{:>8}\n",
        times.tokens, times.cold_ms, times.remote_ms, times.local_ms,
        times.cold_ms / times.remote_ms, static_cast<double>(times.read_bytes) / 1e6,
        bytes_per_token(times), times.round_trips, cpu_s_per_gb(times),
        times.ram_bytes < 0 ? "" : size_text(times.ram_bytes));
  }
  return text + calls_text(all);
}

std::string text_of(const bench::RemoteConversation& conversation) {
  return fmt::format(
      "\na conversation of {} turns, {} tokens: {:.1f} MB in {} objects at the engines, {:.1f} MB "
      "in "
      "the own store\n",
      conversation.turns, conversation.tokens,
      static_cast<double>(conversation.written_bytes) / 1e6, conversation.written_objects,
      static_cast<double>(conversation.store_bytes) / 1e6);
}

Result<std::vector<LinkTimes>> read_table(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::vector<LinkTimes>();
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kHeading) return bad_table(path, line);
  std::vector<LinkTimes> rows;
  while (std::getline(lines, line)) {
    const auto row = row_of(line);
    if (!row) return bad_table(path, line);
    rows.push_back(*row);
  }
  return rows;
}

Status write_table(const std::string& path, const std::vector<LinkTimes>& rows) {
  std::string text = std::string(kHeading) + "\n";
  for (const LinkTimes& row : rows) {
    text += fmt::format("{},{},{:.1f},{:.1f},{:.1f}\n", row.link, row.tokens, row.cold_ms,
                        row.remote_ms, row.local_ms);
  }
  return write_text_file(path, text);
}

eval::LineChart chart_of(const std::vector<LinkTimes>& rows) {
  eval::LineChart chart{.title = "Time to the first token behind a prompt",
                        .value_axis = "seconds",
                        .value_scale = 1e-3,
                        .is_logarithmic = true};
  const auto add = [&](const std::string& name, int64_t tokens, double ms) {
    auto line = std::ranges::find(chart.lines, name, &eval::ChartLine::name);
    if (line == chart.lines.end()) line = chart.lines.insert(line, {.name = name});
    line->points.push_back({tokens, {.value = ms, .low = ms, .high = ms, .count = 1}});
  };
  for (const LinkTimes& row : rows) {
    if (row.link == rows.front().link) add("computed", row.tokens, row.cold_ms);
  }
  for (const LinkTimes& row : rows) add("brought, " + row.link, row.tokens, row.remote_ms);
  for (const LinkTimes& row : rows) {
    if (row.link == rows.front().link) add("from the own store", row.tokens, row.local_ms);
  }
  return chart;
}

}  // namespace kvasir::cli
