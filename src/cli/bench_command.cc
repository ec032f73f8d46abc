// kvasir bench: tokens per second of the engine, and each kernel's share of what this machine can
// do, measured in the same run.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "bench/engine_speed.h"
#include "bench/kernel_limits.h"
#include "cli/bench_long_decode.h"
#include "cli/bench_speed_report.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/size.h"
#include "kvasir/engine.h"

namespace kvasir::cli {
namespace {

enum class BenchTarget { kPrefill, kDecode, kIndex };

struct BenchOptions {
  BenchTarget what = BenchTarget::kPrefill;
  ModelFlags model;
  bench::SpeedOptions speed;
  LongDecodeFlags long_decode;
  bool json = false;
  bool no_kernels = false;
};

bench::KernelGroup group_of(BenchTarget what) {
  switch (what) {
    case BenchTarget::kPrefill:
      return bench::KernelGroup::kPrefill;
    case BenchTarget::kDecode:
      return bench::KernelGroup::kDecode;
    case BenchTarget::kIndex:
      break;
  }
  return bench::KernelGroup::kIndex;
}

const char* name_of(BenchTarget what) {
  switch (what) {
    case BenchTarget::kPrefill:
      return "prefill";
    case BenchTarget::kDecode:
      return "decode";
    case BenchTarget::kIndex:
      break;
  }
  return "index";
}

void print_kernels(const std::vector<bench::Measurement>& measurements) {
  std::printf("\n%-24s %28s %8s  %s\n", "kernel", "measured", "of limit", "limit");
  for (const bench::Measurement& m : measurements) {
    const std::string value = with_prefix(m.value) + m.unit;
    if (m.limit_name.empty()) {
      std::printf("%-24s %28s %8s  this machine, measured now\n", m.name.c_str(), value.c_str(),
                  "-");
    } else {
      std::printf("%-24s %28s %6.0f %%  %s\n", m.name.c_str(), value.c_str(), 100 * m.ratio,
                  m.limit_name.c_str());
    }
  }
}

Json kernels_json(const std::vector<bench::Measurement>& measurements) {
  Json::Array array;
  for (const bench::Measurement& m : measurements) {
    Json::Object object{{"name", m.name}, {"value", m.value}, {"unit", m.unit}};
    if (!m.limit_name.empty()) {
      object.emplace_back("limit", m.limit_name);
      object.emplace_back("limit_value", m.limit_value);
      object.emplace_back("ratio", m.ratio);
    }
    array.emplace_back(std::move(object));
  }
  return array;
}

void print_engine(const Engine& engine, const ModelFlags& model) {
  const ModelInfo& info = engine.info();
  std::printf("%s kv, %s, %d thread%s\n", model.kv.c_str(), info.instruction_set, info.thread_count,
              info.thread_count == 1 ? "" : "s");
}

// Given, or the usual one; ascending.
std::vector<int64_t> depths_of(const BenchOptions& options) {
  std::vector<int64_t> depths;
  for (const std::string& text : options.long_decode.depths) {
    depths.push_back(*parse_token_count(text));
  }
  if (depths.empty()) depths.push_back(options.what == BenchTarget::kDecode ? 512 : 0);
  std::ranges::sort(depths);
  return depths;
}

// Where tokens go, beside what the machine can do.
Status run_speed(BenchOptions& options, Engine& engine, Json::Object& object) {
  options.speed.what =
      options.what == BenchTarget::kPrefill ? bench::SpeedOf::kPrefill : bench::SpeedOf::kDecode;
  options.speed.depths = depths_of(options);
  const auto limits =
      bench::measure_kernel_limits({.instruction_set = &bench::instruction_set_of(engine),
                                    .thread_count = engine.info().thread_count});
  if (!options.json) print_kernels(limits);
  KVASIR_ASSIGN_OR_RETURN(const std::vector<bench::Speed> speeds,
                          bench::measure_speed(engine, options.speed));
  object.emplace_back("measured_tokens", options.speed.measured_tokens);
  object.emplace_back("sessions", options.speed.session_count);
  object.emplace_back("limits", kernels_json(limits));
  object.emplace_back("depths", speeds_json(speeds, limits));
  if (options.json) return ok_status();
  for (const bench::Speed& speed : speeds) {
    print_speed(options.speed, speed, limits, engine.info().thread_count);
  }
  return ok_status();
}

Status run_kernels(const BenchOptions& options, const Engine& engine, Json::Object& object) {
  const auto measurements =
      bench::measure_kernel_limits({.group = group_of(options.what),
                                    .instruction_set = &bench::instruction_set_of(engine),
                                    .thread_count = engine.info().thread_count});
  object.emplace_back("kernels", kernels_json(measurements));
  if (!options.json) print_kernels(measurements);
  return ok_status();
}

Status run(BenchOptions& options) {
  if (options.long_decode.is_chosen()) {
    options.long_decode.json = options.json;
    options.long_decode.kv = options.model.kv;
    options.long_decode.measured_tokens = options.speed.measured_tokens;
    return run_long_decode(options.long_decode, options.model);
  }
  ModelFlags model = options.model;
  model.chunk = std::max(model.chunk, options.speed.session_count);
  PassMeter meter;
  KVASIR_ASSIGN_OR_RETURN(EngineOptions open_options, engine_options(model, false));
  open_options.study.meter = &meter;
  options.speed.meter = &meter;
  KVASIR_ASSIGN_OR_RETURN(Engine engine, open_with_notes(open_options));
  Json::Object object{{"bench", name_of(options.what)},
                      {"instruction_set", engine.info().instruction_set},
                      {"compute", engine.info().compute},
                      {"mapped_panel_bytes", engine.info().mapped_panel_bytes},
                      {"threads", engine.info().thread_count}};
  if (!options.json) print_engine(engine, options.model);
  if (options.what != BenchTarget::kIndex) {
    KVASIR_RETURN_IF_ERROR(run_speed(options, engine, object));
  }
  if (!options.no_kernels) KVASIR_RETURN_IF_ERROR(run_kernels(options, engine, object));
  if (options.json) std::printf("%s\n", Json(std::move(object)).dump().c_str());
  return flush_output();
}

void add_bench(Command bench, const char* name, const char* description, BenchTarget what) {
  auto options = std::make_shared<BenchOptions>();
  options->what = what;
  options->speed.measured_tokens = what == BenchTarget::kDecode ? 64 : 512;
  Command command = bench.add_command(name, description);
  add_model_options(command, options->model);
  if (what != BenchTarget::kIndex) {
    command.add_option("--tokens", options->speed.measured_tokens, "tokens to measure per session")
        .check_range(1, int64_t{1} << 24)
        .show_default();
    command
        .add_option("--depth", options->long_decode.depths,
                    "tokens held before, such as 4096, 64k, 1M; several are measured in turn")
        .check(is_token_count);
    command.add_option("--repetitions", options->speed.repetition_count, "the best one counts")
        .check_range(1, 100)
        .show_default();
    command.add_flag("--no-kernels", options->no_kernels,
                     "leave the kernels out, but for the limits");
  }
  if (what == BenchTarget::kDecode) {
    add_long_decode_options(command, options->long_decode);
    command.add_option("--sessions", options->speed.session_count, "decoded together")
        .check_range(1, 1024)
        .show_default();
  }
  add_json_option(command, options->json);
  on_chosen(command, options, run);
}

}  // namespace

void add_bench_command(Command program) {
  Command bench = program.add_command("bench", "measure the engine and its kernels");
  bench.require_command();
  add_bench(bench, "prefill", "reading a prompt", BenchTarget::kPrefill);
  add_bench(bench, "decode", "generating token after token", BenchTarget::kDecode);
  add_bench(bench, "index", "scoring and picking index keys", BenchTarget::kIndex);
  add_bench_around_command(bench);
  add_bench_codecs_command(bench);
  add_bench_rows_command(bench);
  add_bench_store_command(bench);
  add_bench_remote_command(bench);
  add_bench_serve_command(bench);
}

}  // namespace kvasir::cli
