// These functions add the options that every command with a model takes.
#pragma once

#include <string>

#include "cli/command_line.h"
#include "kvasir/engine.h"
#include "kvasir/generate.h"
#include "kvasir/result.h"

namespace kvasir::cli {

struct ModelFlags {
  std::string model;  // empty: the bundled one
  std::string kv = "native";
  std::string kv_data;
  std::string isa = "auto";
  std::string compute = "auto";
  std::string panels;
  int threads = 0;
  bool pin = false;
  int64_t chunk = 256;
  int64_t context = 0;
};

// --panels; `description` says what a command does with the folder.
Option add_panels_option(Command command, std::string& folder, const char* description);
// A check for options that may not be empty: an unset shell variable must not mean something else.
std::string not_empty(const std::string& text);

// --context; `left_out` says what 0 means.
void add_context_option(Command command, ModelFlags& options,
                        const char* left_out = "as long as the model was made for");
// --model, --threads, --pin, --isa, --compute, --panels.
void add_weight_options(Command command, ModelFlags& options);
// The same, and --chunk.
void add_checkpoint_options(Command command, ModelFlags& options);
// The same, and --kv and --kv-data.
void add_model_options(Command command, ModelFlags& options);
void add_kv_data_option(Command command, ModelFlags& options);

// The checkpoint directory. Error: no bundled model beside the program.
Result<std::string> model_path(const ModelFlags& options);

// The same. What Engine::open takes.
Result<EngineOptions> engine_options(const ModelFlags& options, bool needs_text);
// Engine::open; what there is to know of it becomes notes.
Result<Engine> open_with_notes(const EngineOptions& options);
Result<Engine> open_engine(const ModelFlags& options, bool needs_text);

// For commands that print one result.
Option add_json_option(Command command, bool& json);
void add_seed_option(Command command, uint64_t& seed, const char* description);

// --max-tokens, sampling and --stop.
void add_generate_options(Command command, GenerateOptions& options);

}  // namespace kvasir::cli
