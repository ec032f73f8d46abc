// kvasir bench around: what a decode step costs beside its forward pass.
#include <cstdio>
#include <memory>

#include "base/json.h"
#include "bench/around_speed.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"

namespace kvasir::cli {
namespace {

struct BenchAroundOptions {
  ModelFlags model;
  bench::AroundOptions around;
  bool json = false;
};

void print(const std::vector<bench::Around>& results) {
  std::printf("%-24s %12s %12s %8s\n", "ms a token", "pass", "beside it", "share");
  for (const bench::Around& one : results) {
    std::printf("%-24s %12.4f %12.4f %6.2f %%\n", one.name.c_str(), one.pass_ms, one.around_ms,
                100 * one.share());
  }
}

Json to_json(const std::vector<bench::Around>& results) {
  Json::Array array;
  for (const bench::Around& one : results) {
    array.emplace_back(Json::Object{{"name", one.name},
                                    {"pass_ms", one.pass_ms},
                                    {"around_ms", one.around_ms},
                                    {"share", one.share()}});
  }
  return Json::Object{{"bench", "around"}, {"steps", std::move(array)}};
}

Status run(BenchAroundOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(options.around.engine, engine_options(options.model, true));
  options.around.directory = temporary_folder();
  KVASIR_ASSIGN_OR_RETURN(const std::vector<bench::Around> results,
                          bench::measure_around(options.around));
  if (options.json) {
    std::printf("%s\n", to_json(results).dump().c_str());
  } else {
    print(results);
  }
  return flush_output();
}

}  // namespace

void add_bench_around_command(Command bench) {
  auto options = std::make_shared<BenchAroundOptions>();
  Command command = bench.add_command("around", "what a decode step costs beside its pass");
  add_model_options(command, options->model);
  command.add_option("--tokens", options->around.measured_tokens, "generated in a run")
      .check_range(1, int64_t{1} << 16)
      .show_default();
  command.add_option("--repetitions", options->around.repetition_count, "the best one counts")
      .check_range(1, 100)
      .show_default();
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
