#include "cli/store_options.h"

#include <map>

#include "cli/bundled.h"
#include "cli/notes.h"
#include "cli/size.h"

namespace kvasir::cli {
namespace {

const std::map<std::string, StoreDurability> kDurabilities = {{"none", StoreDurability::kNone},
                                                              {"batch", StoreDurability::kBatch},
                                                              {"strict", StoreDurability::kStrict}};

void add_writing_options(Command command, RemoteOptions& remote, const Option& urls) {
  command
      .add_option("--remote-tokens", remote.new_tokens_min,
                  "write a text at once when so many of its tokens are new there")
      .value_name("N")
      .check_range(0, int64_t{1} << 30)
      .show_default()
      .needs(urls);
}

}  // namespace

Option add_remote_options(Command command, RemoteOptions& remote) {
  Option urls =
      command
          .add_option("--remote", remote.urls,
                      "where several servers share caches: redis://, rediss://,\n"
                      "redis+cluster://, s3://bucket/prefix?endpoint=URL; the faster ones first")
          .value_name("URL")
          .check(not_empty)
          .one_value_each_time();
  Option secret = command
                      .add_option("--remote-secret", remote.secret_file,
                                  "a file with the secret of the servers that share them")
                      .value_name("FILE")
                      .check(not_empty)
                      .needs(urls);
  command.add_flag("--remote-encrypt", remote.encrypts, "what is kept there is encrypted")
      .needs(secret);
  return urls;
}

void add_store_options(Command command, StoreFlags& flags, bool for_saving) {
  Option directory =
      command.add_option("--store", flags.directory, "directory of the store; ~/.cache/kvasir")
          .value_name("DIR")
          .check(not_empty);
  if (!for_saving) return;
  Option no_store =
      command.add_flag("--no-store", flags.no_store, "continue from nothing, save nothing")
          .excludes(directory);
  command
      .add_option("--ram", flags.ram,
                  "what the cache may take of RAM; rows beyond it are read from the store")
      .value_name("SIZE")
      .check(is_size)
      .excludes(no_store);
  add_size_option(command, flags);
  command
      .add_option("--durability", flags.durability,
                  "when saved data is synced: none, batch (each second or 32 MiB), strict")
      .check_one_of({"none", "batch", "strict"})
      .show_default();
  command.add_option("--salt", flags.salt, "caches of one salt are not found under another");
  Option urls = add_remote_options(command, flags.remote).excludes(no_store);
  add_writing_options(command, flags.remote, urls);
}

void add_size_option(Command command, StoreFlags& flags) {
  command.add_option("--store-size", flags.size, "what the store may hold at most")
      .value_name("SIZE")
      .check(is_size)
      .show_default();
}

Result<std::string> default_store_directory() {
  if (const std::optional<std::string> folder = user_cache_folder()) return *folder + "/kvasir";
  return Error{.kind = ErrorKind::kUsage,
               .what = "no place for the store: HOME is not set",
               .where = "--store",
               .remedy = "name a directory with --store DIR, or use --no-store"};
}

Result<StoreOptions> store_options(const StoreFlags& flags) {
  std::string directory = flags.directory;
  if (directory.empty()) {
    KVASIR_ASSIGN_OR_RETURN(directory, default_store_directory());
  }
  return StoreOptions{
      .directory = directory,
      .budget_bytes = *parse_size_bytes(flags.size),
      .durability = kDurabilities.at(flags.durability),
      .salt = flags.salt,
      .project_bytes_max = flags.project_size.empty() ? 0 : *parse_size_bytes(flags.project_size),
      .remote = flags.remote};
}

std::string said_turns_path(const StoreOptions& store) { return store.directory + "/said_turns"; }

std::string conversations_path(const StoreOptions& store) {
  return store.directory + "/conversations.sqlite";
}

Result<Engine> open_engine_with_store(const ModelFlags& model, const StoreFlags& flags,
                                      bool needs_text) {
  KVASIR_ASSIGN_OR_RETURN(EngineOptions options, engine_options(model, needs_text));
  if (flags.no_store) return open_with_notes(options);
  if (!flags.ram.empty()) options.ram_bytes = *parse_size_bytes(flags.ram);
  const bool was_asked_for =
      !flags.directory.empty() || options.ram_bytes != 0 || !flags.remote.urls.empty();
  Result<StoreOptions> store = store_options(flags);
  if (!store) {
    if (was_asked_for) return std::move(store).error();
    note(store.error().message());
    return open_with_notes(options);
  }
  options.store = *store;
  Result<Engine> engine = open_with_notes(options);
  if (!engine) {
    if (was_asked_for || engine.error().field != "store") return engine;
    note(engine.error().message() + "; going on without a store");
    options.store.reset();
    return open_with_notes(options);
  }
  note_all(engine->store_notes());
  return engine;
}

void finish_saving(Engine& engine) {
  if (const Status status = engine.flush_store(); !status.ok()) {
    note("the cache was not saved in full: " + status.error().message());
  }
  note_all(engine.store_notes());
}

}  // namespace kvasir::cli
