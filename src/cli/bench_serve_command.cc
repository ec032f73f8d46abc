// kvasir bench serve: what clients of a server wait for, under loads of several kinds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text_file.h"
#include "bench/scratch_folder.h"
#include "bench/serve/load_chart.h"
#include "bench/serve/own_server.h"
#include "bench/serve/scenarios.h"
#include "cli/bench_serve_report.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"

namespace kvasir::cli {
namespace {

struct BenchServeOptions {
  ModelFlags model;
  std::string url;
  std::string key_path;
  std::string restart;
  std::string peer_url;
  std::string peer_restart;
  std::vector<std::string> scenarios;
  int64_t patience_s = 60;
  bench::LoadOptions load;
  bool json = false;
  std::string svg;
};

// The bounds of its queue are those of the scenario with the most clients.
std::vector<std::string> server_arguments(const BenchServeOptions& options,
                                          const std::string& model, const std::string& store) {
  std::vector<std::string> arguments = {
      "--model",   model,
      "--kv",      options.model.kv,
      "--isa",     options.model.isa,
      "--compute", options.model.compute,
      "--threads", std::to_string(options.model.threads),
      "--chunk",   std::to_string(options.model.chunk),
      "--store",   store,
      "--port",    "0",
      "--queue",   std::to_string(std::max(options.load.clients, int64_t{256})),
      "--quiet"};
  if (!options.model.kv_data.empty()) {
    arguments.insert(arguments.end(), {"--kv-data", options.model.kv_data});
  }
  if (options.model.pin) arguments.emplace_back("--pin");
  if (!options.model.panels.empty()) {
    arguments.insert(arguments.end(), {"--panels", options.model.panels});
  }
  return arguments;
}

Result<std::string> key_of(const BenchServeOptions& options) {
  if (options.key_path.empty()) return std::string();
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(options.key_path));
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) {
    return Error{.kind = ErrorKind::kUsage, .what = "no key", .where = options.key_path};
  }
  return text.substr(begin, text.find_first_of(" \t\r\n", begin) - begin);
}

// Null where there is no command.
std::function<Result<std::string>()> restart_by(const std::string& command,
                                                const std::string& url) {
  if (command.empty()) return nullptr;
  return [command, url]() -> Result<std::string> {
    if (std::system(command.c_str()) == 0) return url;
    return Error{.kind = ErrorKind::kIo, .what = "the command has failed", .where = command};
  };
}

// The servers under load, and what has to live as long as they do.
struct Servers {
  std::optional<bench::ScratchFolder> folder;
  std::unique_ptr<bench::OwnServer> own;
  std::vector<bench::LoadTarget> targets;
};

Result<bench::LoadTarget::Options> own_target(const BenchServeOptions& options, Servers& servers) {
  KVASIR_ASSIGN_OR_RETURN(const std::string model, model_path(options.model));
  KVASIR_ASSIGN_OR_RETURN(bench::ScratchFolder folder,
                          bench::ScratchFolder::create(temporary_folder()));
  servers.folder.emplace(std::move(folder));
  const std::string& path = servers.folder->path();
  servers.own =
      std::make_unique<bench::OwnServer>(server_arguments(options, model, path + "/store"), path);
  KVASIR_RETURN_IF_ERROR(servers.own->start());
  return bench::LoadTarget::Options{
      .name = "kvasir", .url = servers.own->url(), .restart = [own = servers.own.get()] {
        own->stop();
        const Status started = own->start();
        return started.ok() ? Result<std::string>(own->url()) : started.error();
      }};
}

Status add_target(const BenchServeOptions& chosen, Servers& servers,
                  bench::LoadTarget::Options options) {
  options.ready_patience_s = static_cast<double>(chosen.patience_s);
  KVASIR_ASSIGN_OR_RETURN(bench::LoadTarget target, bench::LoadTarget::create(std::move(options)));
  servers.targets.push_back(std::move(target));
  return ok_status();
}

Status open_servers(const BenchServeOptions& options, Servers& servers) {
  KVASIR_ASSIGN_OR_RETURN(const std::string key, key_of(options));
  if (options.url.empty()) {
    KVASIR_ASSIGN_OR_RETURN(bench::LoadTarget::Options own, own_target(options, servers));
    KVASIR_RETURN_IF_ERROR(add_target(options, servers, std::move(own)));
  } else {
    KVASIR_RETURN_IF_ERROR(add_target(options, servers,
                                      {.name = "server",
                                       .url = options.url,
                                       .key = key,
                                       .restart = restart_by(options.restart, options.url)}));
  }
  if (options.peer_url.empty()) return ok_status();
  return add_target(options, servers,
                    {.name = "peer",
                     .url = options.peer_url,
                     .key = key,
                     .restart = restart_by(options.peer_restart, options.peer_url)});
}

// All servers, one after the other.
Status run_on_all(const bench::Scenario& scenario, const BenchServeOptions& options,
                  Servers& servers, std::vector<bench::ScenarioResult>& results) {
  const size_t before = results.size();
  for (bench::LoadTarget& target : servers.targets) {
    KVASIR_ASSIGN_OR_RETURN(std::optional<bench::ScenarioResult> result,
                            bench::run_scenario(scenario, target, options.load));
    if (!result) {
      note(fmt::format("{} is left out for {}: nothing says how to start it again", scenario.name,
                       target.name()));
      continue;
    }
    if (!options.json) print_load(*result);
    results.push_back(std::move(*result));
  }
  if (!options.json && results.size() == before + 2) {
    print_load_ratio(results[before], results[before + 1]);
  }
  return ok_status();
}

Status run(const BenchServeOptions& options) {
  Servers servers;
  KVASIR_RETURN_IF_ERROR(open_servers(options, servers));
  if (!options.json) print_load_heading();
  std::vector<bench::ScenarioResult> results;
  for (const bench::Scenario& scenario : bench::scenarios()) {
    const bool is_chosen =
        options.scenarios.empty() || std::ranges::count(options.scenarios, scenario.name) > 0;
    if (!is_chosen) continue;
    KVASIR_RETURN_IF_ERROR(run_on_all(scenario, options, servers, results));
  }
  if (options.json) std::printf("%s\n", load_json(results).dump().c_str());
  if (!options.svg.empty()) {
    KVASIR_RETURN_IF_ERROR(write_text_file(options.svg, bench::to_svg(results)));
  }
  return flush_output();
}

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const bench::Scenario& one : bench::scenarios()) names.emplace_back(one.name);
  return names;
}

void add_server_options(Command command, BenchServeOptions& options) {
  Option url = command
                   .add_option("--url", options.url,
                               "a server that runs: http://HOST:PORT; one of its own if left out")
                   .check(not_empty);
  command.add_option("--api-key-file", options.key_path, "file whose first word is the key to send")
      .check(not_empty);
  command.add_option("--restart", options.restart, "command that stops and starts that server")
      .check(not_empty)
      .needs(url);
  command
      .add_option("--patience", options.patience_s,
                  "seconds to wait for a server that does not answer yet")
      .check_range(0, 86400)
      .show_default();
  Option peer =
      command
          .add_option("--peer", options.peer_url,
                      "another server with OpenAI's interface, loaded in turn with the first one")
          .check(not_empty);
  command.add_option("--peer-restart", options.peer_restart, "command that stops and starts it")
      .check(not_empty)
      .needs(peer);
}

void add_load_options(Command command, BenchServeOptions& options) {
  bench::LoadOptions& load = options.load;
  command
      .add_option("--scenario", options.scenarios,
                  "decode, arrival, together, shared, edit, restart, clients (repeatable); all if "
                  "left out")
      .one_value_each_time()
      .check_one_of(scenario_names());
  command.add_option("--sessions", load.sessions, "at the same time")
      .check_range(1, 1024)
      .show_default();
  command.add_option("--tokens", load.decode_tokens, "that each session decodes in decode")
      .check_range(2, 1 << 20)
      .show_default();
  command.add_option("--long", load.long_tokens, "tokens of a long prompt, about")
      .check_range(64, int64_t{1} << 24)
      .show_default();
  command.add_option("--turns", load.turns, "of each conversation")
      .check_range(2, 1000)
      .show_default();
  command.add_option("--clients", load.clients, "idle and slow ones in clients")
      .check_range(1, 1000)
      .show_default();
  command
      .add_option("--first-token-bound", load.bounds.first_token_ms,
                  "goodput: milliseconds to the first text, at most")
      .show_default();
  command
      .add_option("--gap-bound", load.bounds.gap_ms,
                  "goodput: milliseconds between two texts, at most")
      .show_default();
  command.add_option("--seed", load.seed, "of the made-up texts; those of the clock if left out");
}

}  // namespace

void add_bench_serve_command(Command bench) {
  auto options = std::make_shared<BenchServeOptions>();
  options->load.seed =
      static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  Command command = bench.add_command("serve", "what clients of a server wait for");
  add_model_options(command, options->model);
  add_server_options(command, *options);
  add_load_options(command, *options);
  add_json_option(command, options->json);
  command.add_option("--svg", options->svg, "file for a chart").check(not_empty);
  on_chosen(command, options, run);
}

}  // namespace kvasir::cli
