// kvasir cache remote: what a person does with the engines that several servers share.
#include <cstdio>
#include <memory>
#include <optional>
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
#include "cli/store_options.h"
#include "kvasir/remote_admin.h"

namespace kvasir::cli {
namespace {

struct RemoteCommandOptions {
  RemoteOptions remote;
  bool json = false;
  bool repair = false;
  bool all = false;
  std::string older_than;
  std::string model;
};

// What is told of one engine, and what is wrong there besides.
struct Told {
  Json::Object json;
  std::string text;
  Status status = ok_status();
};

// Asks the engines one after the other. What one of them fails keeps no other from being told of.
template <class Ask>
Status ask_all(const RemoteCommandOptions& options, const Ask& ask) {
  KVASIR_ASSIGN_OR_RETURN(std::vector<RemoteAdmin> engines, RemoteAdmin::open(options.remote));
  Json::Array all;
  std::optional<Error> first;
  for (RemoteAdmin& engine : engines) {
    Json::Object json{{"engine", engine.label()}};
    Result<Told> told = ask(engine);
    Status status = told.ok() ? told->status : Status(told.error());
    if (told.ok()) {
      std::move(told->json.begin(), told->json.end(), std::back_inserter(json));
      if (!options.json) std::printf("%s\n%s", engine.label().c_str(), told->text.c_str());
    }
    if (!status.ok()) {
      Error error = status.error();
      if (error.where.empty()) error.where = engine.label();
      json.emplace_back("error", error.message());
      if (first) note(error.message());
      if (!first) first = std::move(error);
    }
    all.emplace_back(std::move(json));
  }
  if (options.json) {
    const Json object(Json::Object{{"engines", std::move(all)}, {"notes", notes_json()}});
    std::printf("%s\n", object.dump().c_str());
  }
  KVASIR_RETURN_IF_ERROR(flush_output());
  return first ? Status(std::move(*first)) : ok_status();
}

Status show_stat(const RemoteCommandOptions& options) {
  return ask_all(options, [](RemoteAdmin& engine) -> Result<Told> {
    KVASIR_ASSIGN_OR_RETURN(const RemoteSummary summary, engine.summary());
    return Told{json_of(summary), text_of(summary)};
  });
}

Status list_runs(const RemoteCommandOptions& options) {
  return ask_all(options, [](RemoteAdmin& engine) -> Result<Told> {
    KVASIR_ASSIGN_OR_RETURN(const RemoteListing listing, engine.list());
    const int64_t now_s = unix_seconds();
    return Told{json_of(listing, now_s), text_of(listing, now_s)};
  });
}

Status prune(const RemoteCommandOptions& options) {
  RemoteChoice choice{.all = options.all, .model = options.model};
  if (!options.older_than.empty()) {
    choice.written_before_s = unix_seconds() - *parse_duration_s(options.older_than);
  }
  return ask_all(options, [&](RemoteAdmin& engine) -> Result<Told> {
    KVASIR_ASSIGN_OR_RETURN(const RemoteRemoval removal, engine.remove(choice));
    return Told{json_of(removal), text_of(removal), check_removed(removal)};
  });
}

Status status_of(const RemoteCheck& check, const std::string& engine) {
  if (!check.is_whole) {
    return Error{.kind = ErrorKind::kInterrupted, .what = "interrupted, not all was checked"};
  }
  if (check.repair) KVASIR_RETURN_IF_ERROR(check_removed(*check.repair));
  if (!check.unreadable.empty()) {
    return Error{.kind = ErrorKind::kIo,
                 .what = "the remote engine fails to read objects",
                 .where = engine,
                 .expected = "none",
                 .found = std::to_string(check.unreadable.size()),
                 .remedy = "they are left where they are; look after the engine, then check again"};
  }
  if (check.repair || check.wrong.empty()) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "objects of the remote engine are wrong",
               .where = engine,
               .expected = "none",
               .found = std::to_string(check.wrong.size()),
               .remedy = "what is wrong is never used; --repair removes it"};
}

Status verify(const RemoteCommandOptions& options) {
  const InterruptGuard interrupt;
  return ask_all(options, [&](RemoteAdmin& engine) -> Result<Told> {
    ProgressLine line("checking:", "bytes");
    KVASIR_ASSIGN_OR_RETURN(const RemoteCheck check,
                            engine.verify(options.repair, [&](int64_t done, int64_t total) {
                              line.show(done, total);
                              return !interrupt.interrupted();
                            }));
    line.erase();
    return Told{json_of(check), text_of(check), status_of(check, engine.label())};
  });
}

Command add_action(Command remote, const std::shared_ptr<RemoteCommandOptions>& options,
                   const char* name, const char* description,
                   Status (*work)(const RemoteCommandOptions&)) {
  Command command = remote.add_command(name, description);
  add_remote_options(command, options->remote).required();
  add_json_option(command, options->json);
  on_chosen(command, options, work);
  return command;
}

}  // namespace

void add_cache_remote_command(Command cache) {
  auto options = std::make_shared<RemoteCommandOptions>();
  Command remote =
      cache.add_command("remote", "look at, check and delete what several servers share");
  remote.require_command();
  add_action(remote, options, "stat", "what each engine says of itself, and what lies there",
             show_stat);
  add_action(remote, options, "ls", "stretches of tokens with sizes, states and ages", list_runs);
  add_action(remote, options, "verify", "read and check every byte; fails when an object is wrong",
             verify)
      .add_flag("--repair", options->repair, "remove what is wrong");
  Command what =
      add_action(remote, options, "prune", "delete what was chosen, of all servers", prune)
          .add_group("what", "one or more of");
  what.add_option("--older-than", options->older_than,
                  "what was written so long ago, with all that continues it, as 7d")
      .check(is_duration);
  what.add_option("--model", options->model, "that model's, by its fingerprint or enough of it")
      .value_name("FINGERPRINT")
      .check(not_empty);
  what.add_flag("--all", options->all, "everything of the group's, and what nobody can use");
  what.require_options(1, 3);
}

}  // namespace kvasir::cli
