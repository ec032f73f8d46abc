// These functions add the options that every command with a store takes, and open its engine.
#pragma once

#include <optional>
#include <string>

#include "cli/command_line.h"
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
  std::string ram;           // empty: as much as it takes
  std::string project_size;  // StoreOptions::project_bytes_max; empty: nothing
  RemoteOptions remote;
};

// --store, and with `for_saving` what concerns writing: --no-store, --store-size, --durability,
// --salt, --ram, --remote and what goes with it.
void add_store_options(Command command, StoreFlags& flags, bool for_saving);

// --remote, which is returned, --remote-secret and --remote-encrypt.
Option add_remote_options(Command command, RemoteOptions& remote);

// --store-size.
void add_size_option(Command command, StoreFlags& flags);

// $XDG_CACHE_HOME/kvasir or ~/.cache/kvasir. Error: neither variable is set.
Result<std::string> default_store_directory();
Result<StoreOptions> store_options(const StoreFlags& flags);
// Where a server keeps what its model said (ReplayBook).
std::string said_turns_path(const StoreOptions& store);
// Where it keeps which replies it gave (ConversationBook).
std::string conversations_path(const StoreOptions& store);

// Opens the engine with its store, unless the flags say to do without. The default store is left
// out where it cannot be used, with a note on standard error; one that was named has to work.
Result<Engine> open_engine_with_store(const ModelFlags& model, const StoreFlags& flags,
                                      bool needs_text);

// Waits until all is saved. Prints on standard error what could not be.
void finish_saving(Engine& engine);

}  // namespace kvasir::cli
