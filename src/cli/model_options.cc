#include "cli/model_options.h"

#include <charconv>
#include <vector>

#include "cli/bundled.h"
#include "cli/notes.h"

namespace kvasir::cli {
namespace {

// What --isa takes.
std::vector<std::string> instruction_set_names() {
  std::vector<std::string> names = instruction_sets();
  names.insert(names.begin(), "auto");
  return names;
}

// Empty when some model takes it.
std::string is_precision(const std::string& text) {
  const Status status = check_precision(text);
  if (status.ok()) return {};
  Error error = status.error();
  error.field.clear();  // the option's name stands before
  return error.message();
}

}  // namespace

std::string not_empty(const std::string& text) {
  return text.empty() ? std::string("must not be empty") : std::string();
}

void add_weight_options(Command command, ModelFlags& options) {
  command
      .add_option("--model", options.model,
                  "checkpoint directory, GGUF file, or name of a fetched model; the bundled one if "
                  "left out")
      .value_name("PATH")
      .check(not_empty);
  command.add_option("--threads", options.threads, "threads; 0: one per processor")
      .check_range(0, 1024)
      .show_default();
  command.add_flag("--pin", options.pin,
                   "bind each thread to a processor of its own, one of each core first");
  command.add_option("--isa", options.isa, "instruction set of the kernels")
      .check_one_of(instruction_set_names())
      .show_default();
  command
      .add_option(
          "--compute", options.compute,
          "products: int, of integers where weights are such; int8, the same with activations of "
          "8 bits instead of 16; f32; auto, int or f32")
      .check_one_of({"auto", "int", "int8", "f32"})
      .show_default();
  add_panels_option(command, options.panels,
                    "keep what loading packs of such weights in a file there, mapped: later starts "
                    "are faster, and processes share it");
}

Option add_panels_option(Command command, std::string& folder, const char* description) {
  return command.add_option("--panels", folder, description).value_name("DIR").check(not_empty);
}

void add_checkpoint_options(Command command, ModelFlags& options) {
  add_weight_options(command, options);
  command.add_option("--chunk", options.chunk, "tokens per forward pass")
      .check_range(1, 65536)
      .show_default();
}

void add_context_option(Command command, ModelFlags& options, const char* left_out) {
  const std::string description =
      std::string(
          "how long the text may become, where that chooses the model's rope (Phi-3); 0: ") +
      left_out;
  command.add_option("--context", options.context, description.c_str())
      .check_range(0, int64_t{1} << 40)
      .show_default();
}

void add_model_options(Command command, ModelFlags& options) {
  add_checkpoint_options(command, options);
  command
      .add_option("--kv", options.kv,
                  "precision of the KV cache: native, bf16, int8, kvarn4-sink1, k=...,v=...,i=...,"
                  "layers A-B=...")
      .check(is_precision)
      .show_default();
  add_kv_data_option(command, options);
}

void add_kv_data_option(Command command, ModelFlags& options) {
  command
      .add_option("--kv-data", options.kv_data,
                  "what 'kvasir calibrate' learnt of the model, for nuq, smean, lowrank and oja")
      .value_name("FILE")
      .check(not_empty);
}

Result<std::string> model_path(const ModelFlags& options) {
  if (!options.model.empty()) return model_called(options.model);
  return bundled_path(kBundledModel, "name one with --model DIR");
}

Result<EngineOptions> engine_options(const ModelFlags& options, bool needs_text) {
  KVASIR_ASSIGN_OR_RETURN(const std::string path, model_path(options));
  return EngineOptions{.model_path = path,
                       .kv = options.kv,
                       .kv_data = options.kv_data,
                       .thread_count = options.threads,
                       .pin_threads = options.pin,
                       .chunk_tokens = options.chunk,
                       .context_tokens = options.context,
                       .instruction_set = options.isa,
                       .compute = options.compute,
                       .panels_folder = options.panels,
                       .needs_text = needs_text};
}

Result<Engine> open_with_notes(const EngineOptions& options) {
  Result<Engine> engine = Engine::open(options);
  if (engine) note_all(engine->load_notes());
  return engine;
}

Result<Engine> open_engine(const ModelFlags& options, bool needs_text) {
  KVASIR_ASSIGN_OR_RETURN(const EngineOptions chosen, engine_options(options, needs_text));
  return open_with_notes(chosen);
}

Option add_json_option(Command command, bool& json) {
  return command.add_flag("--json", json, "print one JSON object and nothing else");
}

void add_seed_option(Command command, uint64_t& seed, const char* description) {
  command.add_option("--seed", seed, description)
      .check([](const std::string& text) {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size()
                   ? std::string()
                   : std::string("must be a whole number from 0 to 2^64 - 1");
      })
      .show_default();
}

void add_generate_options(Command command, GenerateOptions& options) {
  command.add_option("--max-tokens", options.tokens_max, "tokens to generate at most")
      .check_range(0, int64_t{1} << 40)
      .show_default();
  command
      .add_option("--temperature", options.sampling.temperature, "0: always the most likely token")
      .show_default();
  command.add_option("--top-k", options.sampling.top_k, "keep the K most likely; 0: all")
      .show_default();
  command.add_option("--top-p", options.sampling.top_p, "keep the most likely up to probability P")
      .show_default();
  command
      .add_option("--min-p", options.sampling.min_p,
                  "drop what is less than P times the most likely")
      .show_default();
  add_seed_option(command, options.sampling.seed, "seed of the sampler");
  command.add_option("--stop", options.stop_strings, "end the text before this string (repeatable)")
      .one_value_each_time();
}

}  // namespace kvasir::cli
