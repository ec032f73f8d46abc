// kvasir bench remote: how much sooner the first token comes where another server has computed the
// prompt.
#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "bench/remote_speed.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/store_options.h"

namespace kvasir::cli {
namespace {

struct BenchRemoteOptions {
  ModelFlags model;
  bench::RemoteOrder order;
  bool flash = false;
  bool json = false;
};

Json to_json(const bench::RemoteTimes& times) {
  return Json::Object{{"tokens", times.tokens},
                      {"cold_ms", times.cold_ms},
                      {"remote_ms", times.remote_ms},
                      {"local_ms", times.local_ms},
                      {"remote_tokens", times.remote_tokens},
                      {"read_bytes", times.read_bytes},
                      {"round_trips", times.round_trips}};
}

void print(const bench::RemoteTimes& times) {
  std::printf("%9lld  %10.1f  %10.1f  %10.1f  %8.1f  %9.1f  %8.0f  %6lld\n",
              static_cast<long long>(times.tokens), times.cold_ms, times.remote_ms, times.local_ms,
              times.cold_ms / times.remote_ms, static_cast<double>(times.read_bytes) / 1e6,
              static_cast<double>(times.read_bytes) / static_cast<double>(times.remote_tokens),
              static_cast<long long>(times.round_trips));
}

Status run(const BenchRemoteOptions& options) {
  std::vector<bench::RemoteTimes> all;
  if (options.flash) {
    KVASIR_ASSIGN_OR_RETURN(all, bench::measure_remote_flash(options.order));
  } else {
    KVASIR_ASSIGN_OR_RETURN(const EngineOptions engine, engine_options(options.model, false));
    KVASIR_ASSIGN_OR_RETURN(all, bench::measure_remote_model(engine, options.order));
  }
  if (options.json) {
    Json::Array array;
    for (const bench::RemoteTimes& times : all) array.push_back(to_json(times));
    std::printf("%s\n",
                Json(Json::Object{{"bench", "remote"}, {"flash", options.flash}, {"times", array}})
                    .dump()
                    .c_str());
    return flush_output();
  }
  std::printf("milliseconds to the first token behind a prompt%s\n",
              options.flash ? ", DeepSeek-V4-Flash's rows; cold is computed at 500 tokens/s" : "");
  std::printf(
      "   tokens        cold      remote       local  sooner x   MB read   B/token  rounds\n");
  for (const bench::RemoteTimes& times : all) print(times);
  return flush_output();
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
  command.add_flag("--flash", options->flash, "made-up rows of DeepSeek-V4-Flash, no model");
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
