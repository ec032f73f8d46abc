#include "cli/bench_long_decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "base/json.h"
#include "bench/kernel_limits.h"
#include "bench/long_decode.h"
#include "cli/bundled.h"
#include "cli/output.h"
#include "cli/size.h"
#include "eval/line_chart.h"

namespace kvasir::cli {
namespace {

constexpr const char* kDefaultDepth = "64k";

// One line of the table.
struct Row {
  int64_t ram_bytes = 0;  // 0: all
  double correlation = 0;
  bench::LongDecode result;
};

std::string ram_text(int64_t ram_bytes) { return ram_bytes == 0 ? "all" : size_text(ram_bytes); }

void print_heading(const std::string& kv) {
  std::printf(
      "DeepSeek-V4-Flash geometry, %s rows; milliseconds a token. x: scan and top-k by\n"
      "what the scan's multiply-adds take at this machine's int8 rate; kept, in 16: of a\n"
      "token's rows, picked by the token before, by one of the sixteen before\n",
      kv.c_str());
  std::printf("%8s %9s %5s %6s %5s %5s %6s %6s %6s %6s %7s %6s %6s %6s %10s\n", "context", "RAM",
              "corr", "scan", "top-k", "x", "fetch", "attend", "total", "rows", "KiB", "hit",
              "kept", "in 16", "peak RSS");
}

void print_row(const Row& row) {
  const bench::LongDecode& r = row.result;
  const double limit_ratio = r.scan_limit_ms > 0 ? (r.scan_ms + r.top_k_ms) / r.scan_limit_ms : 0;
  std::printf(
      "%8lld %9s %5.2f %6.1f %5.1f %5.2f %6.1f %6.1f %6.1f %6.0f %7.0f %5.1f%% %5.1f%% %5.1f%% "
      "%10s\n",
      static_cast<long long>(r.context_tokens), ram_text(row.ram_bytes).c_str(), row.correlation,
      r.scan_ms, r.top_k_ms, limit_ratio, r.fetch_ms, r.attend_ms, r.total_ms(), r.read_rows,
      r.read_bytes / 1024, 100 * r.hit_share, 100 * r.kept_share, 100 * r.recent_share,
      size_text(r.rss_peak_bytes).c_str());
  std::fflush(stdout);
}

Json::Object fields(const Row& row) {
  const bench::LongDecode& r = row.result;
  return {{"context_tokens", r.context_tokens},
          {"ram_bytes", row.ram_bytes},
          {"query_correlation", row.correlation},
          {"scan_ms", r.scan_ms},
          {"scan_limit_ms", r.scan_limit_ms},
          {"top_k_ms", r.top_k_ms},
          {"fetch_ms", r.fetch_ms},
          {"attend_ms", r.attend_ms},
          {"asked_rows", r.asked_rows},
          {"read_rows", r.read_rows},
          {"read_bytes", r.read_bytes},
          {"hit_share", r.hit_share},
          {"kept_share", r.kept_share},
          {"recent_share", r.recent_share},
          {"kv_bytes", r.kv_bytes},
          {"rss_peak_bytes", r.rss_peak_bytes}};
}

Status write_csv(const std::vector<Row>& rows, const std::string& path) {
  std::ofstream file(path);
  std::string separator;
  for (const auto& [name, value] : fields(Row())) file << std::exchange(separator, ",") << name;
  for (const Row& row : rows) {
    separator = "\n";
    for (const auto& [name, value] : fields(row)) {
      file << std::exchange(separator, ",") << value.dump();
    }
  }
  file << '\n';
  file.close();
  if (file) return ok_status();
  return Error{.kind = ErrorKind::kIo, .what = "cannot write the table", .where = path};
}

eval::LineChart chart_of(const std::vector<Row>& rows) {
  eval::LineChart chart{.title = "A token behind a long context: cache work, Flash geometry",
                        .value_axis = "milliseconds"};
  for (const Row& row : rows) {
    const std::string name =
        row.ram_bytes == 0
            ? fmt::format("all rows in RAM, correlation {}", row.correlation)
            : fmt::format("{} of RAM, correlation {}", ram_text(row.ram_bytes), row.correlation);
    auto line = std::find_if(chart.lines.begin(), chart.lines.end(),
                             [&](const eval::ChartLine& one) { return one.name == name; });
    if (line == chart.lines.end()) line = chart.lines.insert(line, {.name = name});
    const double ms = row.result.total_ms();
    line->points.push_back(
        {row.result.context_tokens, {.value = ms, .low = ms, .high = ms, .count = 1}});
  }
  return chart;
}

struct Machine {
  const kernels::InstructionSet& instruction_set;
  int thread_count = 0;
};

// What the model's engine computes with.
Result<Machine> machine_of(const ModelFlags& model) {
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, open_engine(model, false));
  return Machine{.instruction_set = bench::instruction_set_of(engine),
                 .thread_count = engine.info().thread_count};
}

// All budgets and correlations of one context.
Status measure_context(const LongDecodeFlags& flags, const Machine& machine, int64_t context_tokens,
                       std::vector<Row>& rows) {
  std::vector<int64_t> budgets;
  for (const std::string& text : flags.ram) budgets.push_back(*parse_size_bytes(text));
  std::sort(budgets.begin(), budgets.end());
  // Written within the largest budget: where it needs more the first append says how much.
  KVASIR_ASSIGN_OR_RETURN(
      const bench::LongContext context,
      bench::LongContext::create(flags.directory, flags.kv, context_tokens,
                                 budgets.empty() ? 0 : budgets.back(), machine.instruction_set));
  budgets.push_back(0);
  for (const int64_t ram_bytes : budgets) {
    if (ram_bytes != 0 && ram_bytes < context.ram_bytes_min()) {
      std::fprintf(stderr, "kvasir: note: %s are too little for %lld tokens: at least %lld bytes\n",
                   size_text(ram_bytes).c_str(), static_cast<long long>(context.context_tokens()),
                   static_cast<long long>(context.ram_bytes_min()));
      continue;
    }
    for (const double correlation : flags.correlations) {
      Row row{.ram_bytes = ram_bytes, .correlation = correlation};
      KVASIR_ASSIGN_OR_RETURN(row.result,
                              context.measure({.ram_bytes = ram_bytes,
                                               .query_correlation = correlation,
                                               .measured_tokens = flags.measured_tokens,
                                               .thread_count = machine.thread_count,
                                               .instruction_set = &machine.instruction_set}));
      if (!flags.json) print_row(row);
      rows.push_back(row);
    }
  }
  return ok_status();
}

}  // namespace

void add_long_decode_options(Command command, LongDecodeFlags& flags) {
  flags.directory = temporary_folder();
  command
      .add_option("--geometry", flags.geometry,
                  "model: the whole engine; flash: cache work in DeepSeek-V4-Flash's geometry")
      .check_one_of({"model", "flash"})
      .show_default();
  command.add_option("--ram", flags.ram, "flash: RAM budgets of the cache, beside all in RAM")
      .check(is_size);
  command
      .add_option("--correlation", flags.correlations,
                  "flash: of any two tokens' index queries; 0: each picks anew, the worst case")
      .check_real_range(0, 1)
      .show_default();
  command.add_option("--dir", flags.directory, "flash: folder on the device to read from")
      .check_directory()
      .show_default();
  command.add_option("--csv", flags.csv_path, "flash: write the table there")
      .value_name("FILE")
      .check(not_empty);
  command.add_option("--svg", flags.svg_path, "flash: draw the totals there")
      .value_name("FILE")
      .check(not_empty);
}

Status run_long_decode(const LongDecodeFlags& flags, const ModelFlags& model) {
  KVASIR_ASSIGN_OR_RETURN(const Machine machine, machine_of(model));
  std::vector<Row> rows;
  if (!flags.json) print_heading(flags.kv);
  std::vector<std::string> depths = flags.depths;
  if (depths.empty()) depths = {kDefaultDepth};
  for (const std::string& depth : depths) {
    KVASIR_RETURN_IF_ERROR(measure_context(flags, machine, *parse_token_count(depth), rows));
  }
  if (flags.json) {
    Json::Array array;
    for (const Row& row : rows) array.emplace_back(fields(row));
    std::printf(
        "%s\n",
        Json(Json::Object{
                 {"bench", "decode"}, {"geometry", "flash"}, {"kv", flags.kv}, {"rows", array}})
            .dump()
            .c_str());
  }
  if (!flags.csv_path.empty()) KVASIR_RETURN_IF_ERROR(write_csv(rows, flags.csv_path));
  if (!flags.svg_path.empty()) {
    KVASIR_RETURN_IF_ERROR(eval::write_svg(chart_of(rows), flags.svg_path));
  }
  return flush_output();
}

}  // namespace kvasir::cli
