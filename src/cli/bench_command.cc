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

// "12.3 G" for 1.23e10.
std::string with_prefix(double value) {
  const char* prefixes[] = {"", "k", "M", "G", "T"};
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < std::size(prefixes); ++prefix) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, prefixes[prefix]);
  return text;
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

void print_speed(const BenchOptions& options, const Engine& engine, const bench::Speed& speed) {
  std::printf(
      "%s: %.0f tokens/s (%lld after a context of %lld, %lld session%s; %s kv, %s, %d thread%s)\n",
      name_of(options.what), speed.tokens_per_second,
      static_cast<long long>(options.speed.measured_tokens),
      static_cast<long long>(options.speed.context_tokens),
      static_cast<long long>(options.speed.session_count),
      options.speed.session_count == 1 ? "" : "s", options.model.kv.c_str(),
      engine.info().instruction_set, engine.info().thread_count,
      engine.info().thread_count == 1 ? "" : "s");
  std::printf("%.3f ms in all, cache %lld bytes\n", speed.milliseconds,
              static_cast<long long>(speed.kv_bytes));
}

Status run(BenchOptions& options) {
  if (options.long_decode.is_chosen()) {
    options.long_decode.json = options.json;
    options.long_decode.kv = options.model.kv;
    options.long_decode.measured_tokens = options.speed.measured_tokens;
    return run_long_decode(options.long_decode, options.model);
  }
  if (!options.long_decode.contexts.empty()) {
    options.speed.context_tokens = *parse_token_count(options.long_decode.contexts.front());
  }
  ModelFlags model = options.model;
  model.chunk = std::max(model.chunk, options.speed.session_count);
  Json::Object object{{"bench", name_of(options.what)}};
  KVASIR_ASSIGN_OR_RETURN(Engine engine, open_engine(model, false));
  object.emplace_back("instruction_set", engine.info().instruction_set);
  object.emplace_back("compute", engine.info().compute);
  object.emplace_back("threads", engine.info().thread_count);
  if (options.what != BenchTarget::kIndex) {
    KVASIR_ASSIGN_OR_RETURN(const bench::Speed speed,
                            options.what == BenchTarget::kPrefill
                                ? bench::measure_prefill(engine, options.speed)
                                : bench::measure_decode(engine, options.speed));
    object.emplace_back("context_tokens", options.speed.context_tokens);
    object.emplace_back("measured_tokens", options.speed.measured_tokens);
    object.emplace_back("sessions", options.speed.session_count);
    object.emplace_back("tokens_per_second", speed.tokens_per_second);
    object.emplace_back("ms", speed.milliseconds);
    object.emplace_back("kv_bytes", speed.kv_bytes);
    if (!options.json) print_speed(options, engine, speed);
  }
  if (!options.no_kernels) {
    const auto measurements =
        bench::measure_kernel_limits({.group = group_of(options.what),
                                      .instruction_set = &bench::instruction_set_of(engine),
                                      .thread_count = engine.info().thread_count});
    object.emplace_back("kernels", kernels_json(measurements));
    if (!options.json) print_kernels(measurements);
  }
  if (options.json) std::printf("%s\n", Json(std::move(object)).dump().c_str());
  return flush_output();
}

void add_bench(Command bench, const char* name, const char* description, BenchTarget what) {
  auto options = std::make_shared<BenchOptions>();
  options->what = what;
  options->speed.measured_tokens = what == BenchTarget::kDecode ? 64 : 512;
  options->speed.context_tokens = what == BenchTarget::kDecode ? 512 : 0;
  Command command = bench.add_command(name, description);
  add_model_options(command, options->model);
  if (what != BenchTarget::kIndex) {
    command.add_option("--tokens", options->speed.measured_tokens, "tokens to measure per session")
        .check_range(1, int64_t{1} << 24)
        .show_default();
    Option context =
        command
            .add_option("--context", options->long_decode.contexts,
                        "tokens held before, such as 4096, 64k, 1M; several with flash")
            .check(is_token_count);
    if (what == BenchTarget::kPrefill) context.single();
    command.add_option("--repetitions", options->speed.repetition_count, "the best one counts")
        .check_range(1, 100)
        .show_default();
    command.add_flag("--no-kernels", options->no_kernels, "leave the kernels out");
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
  add_bench_codecs_command(bench);
  add_bench_rows_command(bench);
  add_bench_store_command(bench);
  add_bench_serve_command(bench);
}

}  // namespace kvasir::cli
