// kvasir bench rows: how often a model reads the same compressed rows again, and what a cache of
// them would hit.
#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/text_file.h"
#include "bench/row_reuse.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"

namespace kvasir::cli {
namespace {

struct BenchRowsOptions {
  ModelFlags model;
  std::string text_path;
  int64_t tokens = 32768;
  bool json = false;
};

void print(const bench::RowReuse& reuse) {
  std::printf("%lld tokens read; measured: the last %lld, %lld CSA rows at the end\n",
              static_cast<long long>(reuse.tokens), static_cast<long long>(reuse.measured_tokens),
              static_cast<long long>(reuse.row_count));
  std::printf("picked by the token before %.1f %%, by one of the sixteen before %.1f %%\n\n",
              100 * reuse.kept_share, 100 * reuse.recent_share);
  std::printf("%10s %8s %8s %8s %8s %8s\n", "cache rows", "of all", "ours", "LRU", "LFU", "best");
  for (const bench::RowReuse::Size& size : reuse.sizes) {
    std::printf("%10lld %7.1f%% %7.1f%% %7.1f%% %7.1f%% %7.1f%%\n",
                static_cast<long long>(size.rows),
                100 * static_cast<double>(size.rows) / static_cast<double>(reuse.row_count),
                100 * size.hits.ours, 100 * size.hits.least_recent, 100 * size.hits.least_used,
                100 * size.hits.best);
  }
}

Json to_json(const bench::RowReuse& reuse) {
  Json::Array sizes;
  for (const bench::RowReuse::Size& size : reuse.sizes) {
    sizes.emplace_back(Json::Object{{"rows", size.rows},
                                    {"ours", size.hits.ours},
                                    {"least_recent", size.hits.least_recent},
                                    {"least_used", size.hits.least_used},
                                    {"best", size.hits.best}});
  }
  return Json::Object{{"bench", "rows"},
                      {"tokens", reuse.tokens},
                      {"measured_tokens", reuse.measured_tokens},
                      {"row_count", reuse.row_count},
                      {"kept_share", reuse.kept_share},
                      {"recent_share", reuse.recent_share},
                      {"sizes", sizes}};
}

Status run(const BenchRowsOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::string path,
                          given_or_bundled(options.text_path, kBook, "name one with --text FILE"));
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  KVASIR_ASSIGN_OR_RETURN(const EngineOptions engine, engine_options(options.model, true));
  KVASIR_ASSIGN_OR_RETURN(const bench::RowReuse reuse,
                          bench::measure_row_reuse(engine, text, options.tokens));
  if (options.json) {
    std::printf("%s\n", to_json(reuse).dump().c_str());
  } else {
    print(reuse);
  }
  return flush_output();
}

}  // namespace

void add_bench_rows_command(Command bench) {
  auto options = std::make_shared<BenchRowsOptions>();
  Command command = bench.add_command("rows", "rows picked again, and what a cache of them hits");
  add_model_options(command, options->model);
  command.add_option("--text", options->text_path, "text to read; the bundled book if left out")
      .value_name("FILE")
      .check(not_empty);
  command.add_option("--tokens", options->tokens, "of it, from the beginning")
      .check_range(256, int64_t{1} << 24)
      .show_default();
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
