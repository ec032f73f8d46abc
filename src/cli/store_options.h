// Options of every command that has a store.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/model_options.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"
#include "kvasir/store.h"

namespace kvasir::cli {

struct StoreFlags {
  std::string directory;  // empty: the default one
  std::string size = "16GiB";
  std::string durability = "batch";
  std::string salt;
  bool no_store = false;
  std::string ram;  // empty: as much as it takes
};

// --store, and with `for_saving` what concerns writing: --no-store, --store-size, --durability,
// --salt, --ram.
void add_store_options(CLI::App& command, StoreFlags& flags, bool for_saving);

// --store-size.
void add_size_option(CLI::App& command, StoreFlags& flags);

// $XDG_CACHE_HOME/kvasir or ~/.cache/kvasir. Error: neither variable is set.
Result<std::string> default_store_directory();
Result<StoreOptions> store_options(const StoreFlags& flags);

// With its store, unless there is to be none. A store that was not asked for by name and cannot be
// used is left out with a note on standard error.
Result<Engine> open_engine_with_store(const ModelOptions& model, const StoreFlags& flags,
                                      bool needs_text);

// Waits until all is saved; what could not be is told on standard error.
void finish_saving(Engine& engine);

}  // namespace kvasir::cli
