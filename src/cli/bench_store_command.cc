// kvasir bench store: what a long conversation costs on disk, how fast it comes back, and how much
// sooner the first token does.
#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "bench/store_speed.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/size.h"

namespace kvasir::cli {
namespace {

struct BenchStoreOptions {
  ModelFlags model;
  bench::ConversationOptions conversation;
  int64_t first_token_tokens = 100'000;
  bool json = false;
};

double ratio(double a, double b) { return b > 0 ? a / b : 0; }
double ratio(int64_t a, int64_t b) { return ratio(static_cast<double>(a), static_cast<double>(b)); }

void print_cost(const bench::ConversationOptions& options, const bench::ConversationCost& cost) {
  std::printf("%lld tokens in %lld turns, DeepSeek-V4-Flash geometry, native rows:\n",
              static_cast<long long>(options.total_tokens),
              static_cast<long long>(options.turn_count));
  std::printf("  cache            %12lld B in %lld blocks and a state\n",
              static_cast<long long>(cost.cache_bytes), static_cast<long long>(cost.block_count));
  std::printf("  written          %12lld B, %lld states among them; %lld B on the device\n",
              static_cast<long long>(cost.written_bytes), static_cast<long long>(cost.state_count),
              static_cast<long long>(cost.file_bytes));
  std::printf("  read to continue %12lld B\n", static_cast<long long>(cost.read_bytes));
  std::printf("  whole snapshots  %12lld B written, %lld B read (computed)\n",
              static_cast<long long>(cost.snapshot_written_bytes),
              static_cast<long long>(cost.snapshot_read_bytes));
  std::printf("  of the snapshots' bytes: %.1f %% written, %.1f %% read\n",
              100 * ratio(cost.written_bytes, cost.snapshot_written_bytes),
              100 * ratio(cost.read_bytes, cost.snapshot_read_bytes));
}

void print_reads(const char* from, const bench::ReadSpeed& speed) {
  constexpr double kGB = 1e9;
  std::printf("  from %-10s  %6.2f GB/s, plain reads %6.2f GB/s: %.2f [%.2f, %.2f]\n", from,
              speed.restored / kGB, speed.plain / kGB, speed.ratio, speed.ratio_low,
              speed.ratio_high);
}

void print_speed(const bench::ConversationOptions& options, const bench::RestoreSpeed& speed) {
  std::printf("reading it back, every byte checked; medians [quartiles] of %d pairs:\n",
              options.pair_count);
  print_reads("the device", speed.cold);
  print_reads("page cache", speed.warm);
}

Json to_json(const bench::ReadSpeed& speed) {
  return Json::Object{{"restored_bytes_per_second", speed.restored},
                      {"plain_bytes_per_second", speed.plain},
                      {"ratio", speed.ratio},
                      {"ratio_low", speed.ratio_low},
                      {"ratio_high", speed.ratio_high}};
}

Json to_json(const bench::ConversationResult& result, const bench::FirstToken& first) {
  return Json::Object{{"bench", "store"},
                      {"cache_bytes", result.cost.cache_bytes},
                      {"written_bytes", result.cost.written_bytes},
                      {"file_bytes", result.cost.file_bytes},
                      {"read_bytes", result.cost.read_bytes},
                      {"blocks", result.cost.block_count},
                      {"states", result.cost.state_count},
                      {"snapshot_written_bytes", result.cost.snapshot_written_bytes},
                      {"snapshot_read_bytes", result.cost.snapshot_read_bytes},
                      {"from_device", to_json(result.speed.cold)},
                      {"from_page_cache", to_json(result.speed.warm)},
                      {"first_token_tokens", first.tokens},
                      {"prefilled_ms", first.prefilled_ms},
                      {"restored_ms", first.restored_ms}};
}

Status run(const BenchStoreOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const bench::ConversationResult result,
                          bench::measure_conversation(options.conversation));
  if (!options.json) {
    print_cost(options.conversation, result.cost);
    print_speed(options.conversation, result.speed);
    std::fflush(stdout);
  }
  KVASIR_ASSIGN_OR_RETURN(const EngineOptions engine, engine_options(options.model, false));
  KVASIR_ASSIGN_OR_RETURN(const bench::FirstToken first,
                          bench::measure_first_token(engine, options.conversation.directory,
                                                     options.first_token_tokens));
  if (options.json) {
    std::printf("%s\n", to_json(result, first).dump().c_str());
  } else {
    std::printf(
        "from start to first token, prompt of %lld tokens: prefilled %.0f ms, restored "
        "%.0f ms: %.0f times sooner\n",
        static_cast<long long>(first.tokens), first.prefilled_ms, first.restored_ms,
        ratio(first.prefilled_ms, first.restored_ms));
  }
  return flush_output();
}

}  // namespace

void add_bench_store_command(Command bench) {
  auto options = std::make_shared<BenchStoreOptions>();
  options->conversation.directory = temporary_folder();
  Command command = bench.add_command("store", "saving, restoring, first token");
  add_model_options(command, options->model);
  command.add_option("--dir", options->conversation.directory, "folder on the device to measure")
      .check_directory()
      .show_default();
  command.add_option("--tokens", options->first_token_tokens, "prompt of the first token")
      .check_range(256, int64_t{1} << 24)
      .show_default();
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
