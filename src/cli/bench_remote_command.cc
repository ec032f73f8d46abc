// kvasir bench remote: how much sooner the first token comes where another server has computed the
// prompt.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "bench/remote_speed.h"
#include "cli/bench_remote_report.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/size.h"
#include "cli/store_options.h"

namespace kvasir::cli {
namespace {

struct BenchRemoteOptions {
  ModelFlags model;
  bench::RemoteOrder order;
  bool flash = false;
  std::string ram;
  int64_t turns = 0;
  std::string link = "remote";
  std::string csv_path;
  std::string svg_path;
  bool json = false;
};

struct Measured {
  std::vector<bench::RemoteTimes> times;
  std::optional<bench::RemoteConversation> conversation;
};

Result<Measured> measure(const BenchRemoteOptions& options) {
  Measured measured;
  if (options.flash) {
    bench::RemoteOrder order = options.order;
    order.ram_bytes = parse_size_bytes(options.ram).value_or(0);
    KVASIR_ASSIGN_OR_RETURN(measured.times, bench::measure_remote_flash(order));
  } else {
    KVASIR_ASSIGN_OR_RETURN(const EngineOptions engine, engine_options(options.model, false));
    KVASIR_ASSIGN_OR_RETURN(measured.times, bench::measure_remote_model(engine, options.order));
  }
  if (options.turns > 0) {
    KVASIR_ASSIGN_OR_RETURN(measured.conversation,
                            bench::measure_remote_conversation(options.order, options.turns));
  }
  return measured;
}

void print(const BenchRemoteOptions& options, const Measured& measured) {
  if (options.json) {
    Json::Array times;
    for (const bench::RemoteTimes& one : measured.times) times.push_back(to_json(one));
    Json::Object object{{"bench", "remote"},
                        {"flash", options.flash},
                        {"link", options.link},
                        {"resumes", options.order.resumes},
                        {"times", std::move(times)}};
    object.emplace_back("conversation",
                        measured.conversation ? to_json(*measured.conversation) : Json());
    std::printf("%s\n", Json(std::move(object)).dump().c_str());
    return;
  }
  std::printf("milliseconds to the first token behind a prompt%s\n",
              options.flash ? ", DeepSeek-V4-Flash's rows; cold is computed at 500 tokens/s" : "");
  std::fputs(text_of(measured.times).c_str(), stdout);
  if (measured.conversation) std::fputs(text_of(*measured.conversation).c_str(), stdout);
}

// rows: those of earlier runs.
Status write_files(const BenchRemoteOptions& options, std::vector<LinkTimes> rows,
                   const Measured& measured) {
  for (const bench::RemoteTimes& one : measured.times) {
    rows.push_back({options.link, one.tokens, one.cold_ms, one.remote_ms, one.local_ms});
  }
  if (!options.csv_path.empty()) KVASIR_RETURN_IF_ERROR(write_table(options.csv_path, rows));
  if (options.svg_path.empty()) return ok_status();
  return eval::write_svg(chart_of(rows), options.svg_path);
}

Status run(const BenchRemoteOptions& options) {
  std::vector<LinkTimes> rows;
  if (!options.csv_path.empty()) {
    KVASIR_ASSIGN_OR_RETURN(rows, read_table(options.csv_path));
  }
  KVASIR_ASSIGN_OR_RETURN(const Measured measured, measure(options));
  print(options, measured);
  KVASIR_RETURN_IF_ERROR(write_files(options, std::move(rows), measured));
  return flush_output();
}

std::string no_commas(const std::string& text) {
  return text.empty() || text.find_first_of(",\n") != std::string::npos ? "a name without commas"
                                                                        : "";
}

void add_file_options(Command command, BenchRemoteOptions& options) {
  command.add_option("--link", options.link, "what --csv and --svg call it")
      .check(no_commas)
      .show_default();
  command.add_option("--csv", options.csv_path, "add the times to the table there")
      .value_name("FILE")
      .check(not_empty);
  command.add_option("--svg", options.svg_path, "draw that table, or else these times")
      .value_name("FILE")
      .check(not_empty);
}

}  // namespace

void add_bench_remote_command(Command bench) {
  auto options = std::make_shared<BenchRemoteOptions>();
  options->order.directory = temporary_folder();
  options->order.token_counts = {1024, 8192, 32768, 100'000};
  Command command = bench.add_command("remote", "the first token from another server's cache");
  add_model_options(command, options->model);
  add_remote_options(command, options->order.remote).required();
  command.add_option("--dir", options->order.directory, "folder for the own stores")
      .check_directory()
      .show_default();
  command.add_option("--tokens", options->order.token_counts, "prompts")
      .check_range(256, int64_t{1} << 24)
      .show_default();
  Option flash =
      command.add_flag("--flash", options->flash, "made-up rows of DeepSeek-V4-Flash, no model");
  command.add_option("--resumes", options->order.resumes, "flash: prompts brought at a time")
      .check_range(1, 16)
      .show_default()
      .needs(flash);
  command
      .add_option("--ram", options->ram,
                  "flash: RAM for the cache of the server that goes on: hot parts come first")
      .check(is_size)
      .needs(flash);
  command.add_option("--turns", options->turns, "flash: write a conversation of so many turns, too")
      .check_range(1, 1000)
      .needs(flash);
  add_file_options(command, *options);
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
