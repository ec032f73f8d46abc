// kvasir cache: what a person does with a store.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/remote_report.h"
#include "cli/size.h"
#include "cli/store_options.h"
#include "cli/store_report.h"
#include "kvasir/store_admin.h"

namespace kvasir::cli {
namespace {

struct CacheOptions {
  StoreFlags store;
  bool json = false;
  bool repair = false;
  std::string key;
  std::string name;
  std::string file;
  std::string to_size;
  std::string older_than;
};

enum class Access : uint8_t {
  kRead,
  kWrite,
  kFill,  // within the budget; makes the store where there is none
};

Result<StoreAdmin> open_store(const CacheOptions& options, Access access) {
  KVASIR_ASSIGN_OR_RETURN(StoreOptions wanted, store_options(options.store));
  wanted.read_only = access == Access::kRead;
  wanted.must_exist = access != Access::kFill;
  // A budget is the concern of those who save; else nothing is evicted unasked.
  if (access != Access::kFill) {
    wanted.budget_bytes = int64_t{1} << 62;
    wanted.min_free_bytes = 0;
  }
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, StoreAdmin::open(wanted));
  note_all(store.notes());
  return store;
}

void print_json(Json::Object object) {
  object.emplace_back("notes", notes_json());
  std::printf("%s\n", Json(std::move(object)).dump().c_str());
}

// Which sessions of a server end where. Without a server's book: none.
Result<RepliesByKey> replies_in(const StoreFlags& flags) {
  KVASIR_ASSIGN_OR_RETURN(const StoreOptions store, store_options(flags));
  RepliesByKey replies;
  std::error_code ignored;
  if (!std::filesystem::exists(conversations_path(store), ignored)) return replies;
  auto book = ConversationBook::open({.path = conversations_path(store), .read_only = true});
  if (!book.ok()) {
    note(book.error().message());
    return replies;
  }
  // The newest comes first and stays.
  for (KeptReply& reply : (*book)->sessions()) replies.emplace(reply.key, std::move(reply));
  return replies;
}

Status list_runs(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kRead));
  const std::vector<StoredRun> runs = store.list();
  KVASIR_ASSIGN_OR_RETURN(const RepliesByKey replies, replies_in(options.store));
  if (options.json) {
    print_json(Json::Object{{"runs", to_json(runs, replies, unix_seconds())}});
  } else {
    std::fputs(run_table(runs, replies, unix_seconds()).c_str(), stdout);
  }
  return ok_status();
}

Status show_stat(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kRead));
  const StoreSummary summary = store.summary();
  const StoreMetrics totals = store.totals();
  const RemoteTotals remote = store.remote_totals();
  if (options.json) {
    print_json(json_of(summary, totals, remote));
  } else {
    std::fputs(summary_table(summary, totals, remote).c_str(), stdout);
  }
  return ok_status();
}

Status verify(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store,
                          open_store(options, options.repair ? Access::kWrite : Access::kRead));
  const InterruptGuard interrupt;
  ProgressLine line("checking:", "bytes");
  int64_t checked_bytes = 0;
  KVASIR_ASSIGN_OR_RETURN(const std::vector<StoreDamage> damages,
                          store.verify(options.repair, [&](int64_t done, int64_t total) {
                            checked_bytes = done;
                            line.show(done, total);
                            return !interrupt.interrupted();
                          }));
  line.erase();
  note_all(store.notes());
  if (options.json) {
    print_json(Json::Object{{"checked_bytes", checked_bytes},
                            {"damages", to_json(damages)},
                            {"repaired", options.repair}});
  } else {
    std::fputs(damage_lines(damages).c_str(), stdout);
    std::printf("%s checked, %lld damaged places%s\n", size_text(checked_bytes).c_str(),
                static_cast<long long>(damages.size()),
                options.repair && !damages.empty() ? ", removed" : "");
  }
  if (interrupt.interrupted())
    return Error{.kind = ErrorKind::kInterrupted, .what = "interrupted, not all was checked"};
  if (damages.empty() || options.repair) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the store is damaged",
               .where = store.summary().directory,
               .expected = "no damaged places",
               .found = std::to_string(damages.size()),
               .remedy = "what is damaged is never used; kvasir cache verify --repair removes it"};
}

// Error: something is left at a remote engine.
Status report_freed(const CacheOptions& options, const StoreAdmin& store, int64_t bytes) {
  const std::vector<RemoteRemoval>& removals = store.remote_removals();
  if (options.json) {
    Json::Object object{{"freed_bytes", bytes}};
    if (!removals.empty()) object.emplace_back("remote", to_json(removals));
    print_json(std::move(object));
  } else {
    std::printf("%s freed\n", size_text(bytes).c_str());
    for (const RemoteRemoval& one : removals) {
      std::printf("%s\n%s", one.label.c_str(), text_of(one).c_str());
    }
  }
  for (const RemoteRemoval& one : removals) KVASIR_RETURN_IF_ERROR(check_removed(one));
  return ok_status();
}

Status prune(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kWrite));
  int64_t freed_bytes = 0;
  if (!options.key.empty()) {
    KVASIR_ASSIGN_OR_RETURN(freed_bytes, store.remove(options.key));
  }
  if (!options.older_than.empty()) {
    const int64_t since_s = unix_seconds() - *parse_duration_s(options.older_than);
    KVASIR_ASSIGN_OR_RETURN(const int64_t bytes, store.remove_unused_since(since_s));
    freed_bytes += bytes;
  }
  if (!options.to_size.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const int64_t bytes,
                            store.shrink_to(*parse_size_bytes(options.to_size)));
    freed_bytes += bytes;
  }
  return report_freed(options, store, freed_bytes);
}

Status clear(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kWrite));
  KVASIR_ASSIGN_OR_RETURN(const int64_t freed_bytes, store.clear());
  // What a server remembers of conversations is theirs too.
  KVASIR_ASSIGN_OR_RETURN(const StoreOptions place, store_options(options.store));
  for (const std::string& file : {said_turns_path(place), conversations_path(place)}) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
  return report_freed(options, store, freed_bytes);
}

Status report_key(const CacheOptions& options, const char* done) {
  if (options.json) {
    print_json(Json::Object{{done, options.key}});
  } else {
    std::printf("%s %s\n", done, options.key.c_str());
  }
  return ok_status();
}

Status pin(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kWrite));
  KVASIR_RETURN_IF_ERROR(store.pin(options.key, options.name));
  return report_key(options, "pinned");
}

Status unpin(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kWrite));
  KVASIR_RETURN_IF_ERROR(store.unpin(options.key));
  return report_key(options, "unpinned");
}

Status report_transfer(const CacheOptions& options, const ImportReport& report, const char* done) {
  if (options.json) {
    print_json(Json::Object{{"records", report.records},
                            {"new_records", report.new_records},
                            {"bytes", report.bytes},
                            {"tokens", report.token_end},
                            {"key", report.key}});
  } else {
    std::printf("%s %lld tokens in %lld records, %s; %lld were new\n", done,
                static_cast<long long>(report.token_end), static_cast<long long>(report.records),
                size_text(report.bytes).c_str(), static_cast<long long>(report.new_records));
  }
  return ok_status();
}

Status export_run(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kRead));
  KVASIR_ASSIGN_OR_RETURN(const ImportReport report, store.export_to(options.key, options.file));
  return report_transfer(options, report, "exported");
}

Status import_file(const CacheOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(StoreAdmin store, open_store(options, Access::kFill));
  KVASIR_ASSIGN_OR_RETURN(const ImportReport report, store.import_from(options.file));
  return report_transfer(options, report, "imported");
}

using Work = Status (*)(const CacheOptions&);

Command add_action(Command cache, const std::shared_ptr<CacheOptions>& options, const char* name,
                   const char* description, Work work) {
  Command command = cache.add_command(name, description);
  add_store_options(command, options->store, false);
  add_json_option(command, options->json);
  on_chosen(command, options, [work](const CacheOptions& given) {
    const Status status = work(given);
    return status.ok() ? flush_output() : status;
  });
  return command;
}

}  // namespace

void add_cache_command(Command program) {
  auto options = std::make_shared<CacheOptions>();
  Command cache = program.add_command("cache", "look at, check, keep, hand on and delete caches");
  cache.require_command();
  const auto add = [&](const char* name, const char* description, Work work) {
    return add_action(cache, options, name, description, work);
  };
  const auto add_key = [&](Command command) {
    return command.add_option("key", options->key, "a run's key, or enough of it").check(not_empty);
  };
  add("ls", "trees of stored prefixes with sizes, ages, hits and first words", list_runs);
  add_cache_why_command(cache);
  add("stat", "sizes and what was found, read, written and evicted so far", show_stat);
  add("verify", "read and check every byte; fails when something is damaged", verify)
      .add_flag("--repair", options->repair, "remove what is damaged");
  Command prune_command =
      add("prune", "delete a run, what was not used for long, or down to a size", prune);
  add_remote_options(prune_command, options->store.remote);
  Command what = prune_command.add_group("what", "one or more of");
  add_key(what);
  what.add_option("--older-than", options->older_than, "what was not used for so long, as 7d")
      .check(is_duration);
  what.add_option("--to", options->to_size, "the least valuable, down to that size")
      .value_name("SIZE")
      .check(is_size);
  what.require_options(1, 3);
  Command pin_command = add("pin", "never evict a run and what it continues", pin);
  add_key(pin_command).required();
  pin_command.add_option("--name", options->name, "a name to know it by");
  add_key(add("unpin", "let a run be evicted again; its key or name", unpin)).required();
  Command export_command = add("export", "write one conversation to a file", export_run);
  add_key(export_command).required();
  export_command.add_option("--out", options->file, "file to write; must not exist")
      .value_name("FILE")
      .required();
  Command import_command =
      add("import", "take such a file in, once all of it was checked", import_file);
  import_command.add_option("file", options->file, "file to read").value_name("FILE").required();
  add_size_option(import_command, options->store);
  Command clear_command = add("clear", "delete everything, pinned or not", clear);
  add_remote_options(clear_command, options->store.remote);
  add_cache_remote_command(cache);
}

}  // namespace kvasir::cli
