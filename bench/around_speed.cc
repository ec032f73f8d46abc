#include "bench/around_speed.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/stopwatch.h"
#include "bench/scratch_folder.h"
#include "kvasir/generate.h"
#include "kvasir/grammar.h"

namespace kvasir::bench {
namespace {

constexpr const char* kPrompt =
    "The sea was calm that morning, and the old harbour lay quiet under a thin grey sky. A woman "
    "with a basket came down the steps, looked at the boats, and began to tell a story: ";
// An answer that does not end soon.
constexpr const char* kSchema = R"({"type": "array", "items": {"type": "object", "properties":
    {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]},
    "minItems": 100})";

struct Variant {
  const char* name;
  SamplingOptions sampling;
  bool has_schema = false;
};

std::vector<Variant> variants() {
  return {{.name = "greedy"},
          {.name = "temperature", .sampling = {.temperature = 0.8}},
          {.name = "top-k 40, top-p 0.95",
           .sampling = {.temperature = 0.8, .top_k = 40, .top_p = 0.95}},
          {.name = "penalties", .sampling = {.temperature = 0.8, .repetition_penalty = 1.1}},
          {.name = "JSON Schema", .has_schema = true}};
}

class AroundBench {
 public:
  AroundBench(Engine& engine, PassMeter& meter, const AroundOptions& options)
      : engine_(engine), meter_(meter), options_(options) {}

  Result<Around> measure(const Variant& variant) {
    GenerateOptions generate{.sampling = variant.sampling,
                             .tokens_max = options_.measured_tokens,
                             .stops_at_end_of_text = false};
    if (variant.has_schema) {
      KVASIR_ASSIGN_OR_RETURN(generate.grammar, json_schema_grammar(engine_, kSchema));
    }
    Around best{.name = variant.name, .around_ms = std::numeric_limits<double>::infinity()};
    for (int i = 0; i < options_.repetition_count; ++i) {
      KVASIR_ASSIGN_OR_RETURN(const Around one, run_once(variant.name, generate));
      if (one.around_ms < best.around_ms) best = one;
    }
    return best;
  }

  Result<Around> measure_encoding() {
    Around best{.name = "encoding", .around_ms = std::numeric_limits<double>::infinity()};
    for (int i = 0; i < options_.repetition_count; ++i) {
      const Stopwatch watch;
      KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, engine_.encode(kPrompt));
      best.around_ms =
          std::min(best.around_ms, watch.elapsed_ms() / static_cast<double>(ids.size()));
    }
    return best;
  }

 private:
  Result<Around> run_once(const char* name, const GenerateOptions& generate) {
    KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> prompt, engine_.encode(kPrompt));
    KVASIR_ASSIGN_OR_RETURN(Session session, engine_.new_session());
    KVASIR_RETURN_IF_ERROR(session.append(prompt));
    meter_ = {.is_on = true};
    const Result<Generated> generated = kvasir::generate(engine_, session, generate);
    meter_.is_on = false;
    KVASIR_RETURN_IF_ERROR(generated);
    const auto tokens = static_cast<double>(generated->tokens.size());
    const double pass_ms = meter_.total().seconds * 1000;
    return Around{.name = name,
                  .pass_ms = pass_ms / tokens,
                  .around_ms = (generated->decode_ms - pass_ms) / tokens};
  }

  Engine& engine_;
  PassMeter& meter_;
  const AroundOptions& options_;
};

}  // namespace

Result<std::vector<Around>> measure_around(const AroundOptions& options) {
  PassMeter meter;
  EngineOptions engine_options = options.engine;
  engine_options.study.meter = &meter;
  std::vector<Around> results;
  Around encoding;
  {
    KVASIR_ASSIGN_OR_RETURN(Engine engine, Engine::open(engine_options));
    AroundBench bench(engine, meter, options);
    for (const Variant& variant : variants()) {
      KVASIR_ASSIGN_OR_RETURN(Around around, bench.measure(variant));
      results.push_back(std::move(around));
    }
    KVASIR_ASSIGN_OR_RETURN(encoding, bench.measure_encoding());
    encoding.pass_ms = results.front().pass_ms;
  }
  KVASIR_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::create(options.directory));
  engine_options.store = StoreOptions{.directory = folder.path()};
  KVASIR_ASSIGN_OR_RETURN(Engine engine, Engine::open(engine_options));
  KVASIR_ASSIGN_OR_RETURN(Around saved,
                          AroundBench(engine, meter, options).measure({.name = "greedy, saved"}));
  results.push_back(std::move(saved));
  results.push_back(std::move(encoding));
  return results;
}

}  // namespace kvasir::bench
