// kvasir bench codecs: tokens per second of decoding over caches of several precisions, in turns,
// beside what memory gives.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "bench/codec_speed.h"
#include "bench/kernel_limits.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/size.h"

namespace kvasir::cli {
namespace {

struct BenchCodecsOptions {
  ModelFlags model;
  std::vector<std::string> precisions;
  std::vector<std::string> contexts;
  bench::CodecSpeedOptions speed;
  bool json = false;
};

void print(const std::vector<bench::CodecSpeed>& speeds, double memory_bytes_per_second) {
  std::printf("memory read %.1f GB/s\n\n", memory_bytes_per_second / 1e9);
  std::printf("%9s  %-32s %9s %22s %7s %11s %10s\n", "context", "precision", "B/token", "tokens/s",
              "ratio", "cache GB/s", "of memory");
  for (const bench::CodecSpeed& one : speeds) {
    char range[48];
    std::snprintf(range, sizeof range, "%.1f (%.1f to %.1f)", one.tokens_per_second,
                  one.tokens_per_second_min, one.tokens_per_second_max);
    std::printf("%9lld  %-32s %9.0f %22s %7.2f %11.2f %8.0f %%\n",
                static_cast<long long>(one.context_tokens), one.precision.c_str(),
                static_cast<double>(one.block_bytes) / 128, range, one.ratio,
                one.read_bytes_per_second / 1e9,
                100 * one.read_bytes_per_second / memory_bytes_per_second);
  }
}

Json to_json(const std::vector<bench::CodecSpeed>& speeds, double memory_bytes_per_second) {
  Json::Array rows;
  for (const bench::CodecSpeed& one : speeds) {
    rows.emplace_back(Json::Object{{"precision", one.precision},
                                   {"context_tokens", one.context_tokens},
                                   {"block_bytes", one.block_bytes},
                                   {"tokens_per_second", one.tokens_per_second},
                                   {"tokens_per_second_min", one.tokens_per_second_min},
                                   {"tokens_per_second_max", one.tokens_per_second_max},
                                   {"ratio", one.ratio},
                                   {"read_bytes_per_second", one.read_bytes_per_second}});
  }
  return Json::Object{{"bench", "codecs"},
                      {"memory_bytes_per_second", memory_bytes_per_second},
                      {"rows", std::move(rows)}};
}

Status run(BenchCodecsOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(options.speed.engine, engine_options(options.model, false));
  options.speed.precisions = options.precisions;
  if (options.precisions.empty()) {
    options.speed.precisions = {"bf16", "q8_0", "int8", "q4_0", "kvarn4", "kivi4-sink1", "turbo3"};
  }
  for (const std::string& context : options.contexts) {
    options.speed.context_tokens.push_back(*parse_token_count(context));
  }
  if (options.contexts.empty()) options.speed.context_tokens = {512, 2048, 6000};
  const InterruptGuard interrupt;
  ProgressLine line("measuring", "turns");
  const auto measured = bench::measure_codec_speed(options.speed, [&](int64_t done, int64_t all) {
    line.show(done, all);
    return !interrupt.interrupted();
  });
  line.erase();
  if (!measured.ok()) return measured.error();
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, open_with_notes(options.speed.engine));
  const double memory =
      bench::memory_read_bytes_per_second({.instruction_set = &bench::instruction_set_of(engine),
                                           .thread_count = engine.info().thread_count});
  if (options.json) {
    std::printf("%s\n", to_json(*measured, memory).dump().c_str());
  } else {
    print(*measured, memory);
  }
  return flush_output();
}

}  // namespace

void add_bench_codecs_command(Command bench) {
  auto options = std::make_shared<BenchCodecsOptions>();
  Command command = bench.add_command("codecs", "decoding over caches of several precisions");
  add_checkpoint_options(command, options->model);
  add_kv_data_option(command, options->model);
  command.add_option("--kv", options->precisions,
                     "precisions (repeatable); the others are compared with the first");
  command
      .add_option("--context", options->contexts,
                  "tokens held before, such as 512, 6k (repeatable)")
      .check(is_token_count);
  command.add_option("--tokens", options->speed.measured_tokens, "tokens of a turn")
      .check_range(1, int64_t{1} << 20)
      .show_default();
  command.add_option("--repetitions", options->speed.repetition_count, "turns of each")
      .check_range(1, 100)
      .show_default();
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
