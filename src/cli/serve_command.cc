// kvasir serve: the model over HTTP, until a signal says stop.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/machine_memory.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/size.h"
#include "cli/store_options.h"
#include "kvasir/service.h"
#include "server/server.h"

namespace kvasir::cli {
namespace {

struct ServeOptions {
  ModelFlags model;
  StoreFlags store;
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string unix_path;
  std::string admin_path;
  std::string key_path;
  std::vector<std::string> hosts;
  std::vector<std::string> origins;
  std::string name;
  std::string warm_path;
  int64_t running_max = 32;
  int64_t queued_max = 256;
  int64_t drain_s = 30;
  bool without_key = false;
  bool no_tcp = false;
  bool quiet = false;
  bool keeps_reasoning = false;
};

bool is_loopback(const std::string& host) { return host == "::1" || host.starts_with("127."); }

Status check_usage(const ServeOptions& options) {
  if (!options.store.project_size.empty() && options.store.no_store) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "projects are kept in a store, and there is none",
                 .where = "--project-size"};
  }
  if (is_loopback(options.host) || !options.key_path.empty() || options.without_key) {
    return ok_status();
  }
  return Error{.kind = ErrorKind::kUsage,
               .what = "other machines could use this server without a key",
               .where = "--host " + options.host,
               .remedy = "name a file of keys with --api-key-file, or say --without-key"};
}

Result<server::ServerOptions> server_options(const ServeOptions& options) {
  server::ServerOptions server;
  if (!options.key_path.empty()) {
    KVASIR_ASSIGN_OR_RETURN(server.guard.keys, server::read_key_file(options.key_path));
  }
  server.guard.hosts = options.hosts;
  server.guard.origins = options.origins;
  if (!options.no_tcp) {
    server.http.listeners.push_back(
        {.host = options.host, .port = static_cast<uint16_t>(options.port)});
  }
  if (!options.unix_path.empty()) server.http.listeners.push_back({.unix_path = options.unix_path});
  if (!options.admin_path.empty()) {
    server.admin_listener = static_cast<int>(server.http.listeners.size());
    server.http.listeners.push_back({.unix_path = options.admin_path});
  }
  if (!options.quiet) {
    server.access_log = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  }
  return server;
}

// Without --ram half of what may be had now: the weights' pages want room too.
ServiceOptions service_options(const ServeOptions& options) {
  return {.running_max = options.running_max,
          .queued_requests_max = options.queued_max,
          .kv_bytes_max = options.store.ram.empty() ? available_memory_bytes() / 2 : 0};
}

Result<server::ServedModel> served_model(const ServeOptions& options, const Engine& engine,
                                         const std::string& path, int64_t kv_bytes_max) {
  const ModelInfo& info = engine.info();
  const std::filesystem::path file(path);
  const std::string stem = file.has_filename() ? file.stem() : file.parent_path().filename();
  server::ServedModel model{
      .name = options.name.empty() ? stem : options.name,
      .fingerprint = info.fingerprint,
      .context_tokens = options.model.context > 0 ? options.model.context : info.context_tokens_max,
      .keeps_reasoning = options.keeps_reasoning,
      .has_ram_budget = !options.store.ram.empty(),
      .keeps_projects = !options.store.project_size.empty(),
      .precision = options.model.kv,
      .kv_bytes_max = kv_bytes_max};
  if (engine.store_root().empty()) return model;
  KVASIR_ASSIGN_OR_RETURN(model.store, store_options(options.store));
  return model;
}

// A body a line, or one that takes the whole file.
std::vector<std::string> bodies_in(const std::string& text) {
  if (Json::parse(text, "").ok()) return {text};
  std::vector<std::string> bodies;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") != line.npos) bodies.push_back(line);
  }
  return bodies;
}

Status warm(server::Server& server, const ServeOptions& options, bool has_keys) {
  if (options.warm_path.empty()) return ok_status();
  if (has_keys) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "each key has a cache of its own, so none can be computed for all",
                 .where = "--warm"};
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(options.warm_path));
  note_all(server.warm(bodies_in(text), options.warm_path));
  return ok_status();
}

void announce(const server::Server& server, const std::string& model) {
  for (const std::string& address : server.addresses()) {
    const bool is_unix = address.starts_with("unix:");
    std::printf("serving %s on %s%s\n", model.c_str(), is_unix ? "" : "http://", address.c_str());
  }
  std::fflush(stdout);
}

void wait_for(const InterruptGuard& interrupt) {
  while (!interrupt.interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

// A book lies beside the caches that are read with it. Where it cannot, it is kept in memory alone:
// conversations are answered all the same, only slower after a restart.
template <class Book>
Result<std::shared_ptr<Book>> open_book(const std::string& path, const char* what) {
  Result<std::unique_ptr<Book>> book = Book::open({.path = path});
  if (!book.ok()) {
    note(fmt::format("{} in memory alone: {}", what, book.error().message()));
    book = Book::open({});
  }
  if (!book.ok()) return std::move(book).error();
  return std::shared_ptr<Book>(std::move(*book));
}

Result<server::ServedBooks> open_books(const ServeOptions& options, const Engine& engine) {
  std::string said_path;
  std::string replies_path;
  if (engine.saves()) {
    KVASIR_ASSIGN_OR_RETURN(const StoreOptions store, store_options(options.store));
    said_path = said_turns_path(store);
    replies_path = conversations_path(store);
  }
  server::ServedBooks books;
  KVASIR_ASSIGN_OR_RETURN(books.said,
                          open_book<ReplayBook>(said_path, "what the model says is kept"));
  KVASIR_ASSIGN_OR_RETURN(books.conversations,
                          open_book<ConversationBook>(replies_path, "replies are remembered"));
  return books;
}

Status serve(const ServeOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::string path, model_path(options.model));
  KVASIR_ASSIGN_OR_RETURN(server::ServerOptions chosen, server_options(options));
  const bool has_keys = chosen.guard.keys.size() > 1;
  KVASIR_ASSIGN_OR_RETURN(const std::unique_ptr<server::Server> server,
                          server::Server::start(std::move(chosen)));
  const InterruptGuard interrupt;
  KVASIR_ASSIGN_OR_RETURN(Engine engine,
                          open_engine_with_store(options.model, options.store, true));
  const ServiceOptions limits = service_options(options);
  const int64_t kv_bytes_max =
      options.store.ram.empty() ? limits.kv_bytes_max : *parse_size_bytes(options.store.ram);
  KVASIR_ASSIGN_OR_RETURN(const server::ServedModel model,
                          served_model(options, engine, path, kv_bytes_max));
  KVASIR_ASSIGN_OR_RETURN(server::ServedBooks books, open_books(options, engine));
  auto service = std::make_unique<Service>(std::move(engine), limits);
  if (const Status form = server->serve(std::move(service), model, std::move(books)); !form.ok()) {
    note("only plain completions are served: " + form.error().message());
  }
  KVASIR_RETURN_IF_ERROR(warm(*server, options, has_keys));
  announce(*server, model.name);
  wait_for(interrupt);
  note(fmt::format("going down: {} s at most for what is under way; another signal ends at once",
                   options.drain_s));
  return server->stop(std::chrono::seconds(options.drain_s));
}

constexpr const char* kHelp = R"(Clients:
  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=none   OpenAI's
  ANTHROPIC_BASE_URL=http://127.0.0.1:8080                       Anthropic's
  curl http://127.0.0.1:8080/v1/chat/completions \
    -H 'Content-Type: application/json' \
    -d '{"messages": [{"role": "user", "content": "Who are you?"}]}'
  A browser finds a chat and the cache at http://127.0.0.1:8080/.
  Any model name is taken, and the one that runs is reported. /ready says when
  the model is loaded; /health, /metrics and /openapi.json are there too.

Examples:
  kvasir serve
      the bundled model, for this machine alone
  kvasir serve --model DIR --name my-model --store /srv/kvasir --ram 8GiB
      your own model, its caches kept there, no more than 8 GiB of them in RAM
  kvasir serve --unix /run/user/1000/kvasir.sock --no-tcp
      for programs of your own user alone
  kvasir serve --host 0.0.0.0 --allow-host llm.example --api-key-file keys
      for other machines; there is no TLS: have a proxy before it that speaks it

Caches: every conversation is saved as it grows, and goes on after a restart
where it was. Without --ram no request is begun while caches take more than half
of the memory that was free at the start; it waits.

Limits: a body of 64 MiB, a head of 32 KiB, 1024 connections. A request that
finds the queue full is refused with status 429 and may be sent again.

SIGTERM or Ctrl-C: no more requests are taken, those under way go on for --drain
seconds at most, all is saved. A second signal ends at once.
)";

void add_address_options(Command command, ServeOptions& options) {
  Option host = command.add_option("--host", options.host, "IP address to listen on")
                    .value_name("ADDRESS")
                    .show_default();
  Option port = command.add_option("--port", options.port, "port; 0: any free one")
                    .check_range(0, 65535)
                    .show_default();
  Option unix_path =
      command.add_option("--unix", options.unix_path, "a Unix socket to listen on too")
          .value_name("PATH")
          .check(not_empty);
  command
      .add_option("--admin-unix", options.admin_path,
                  "a Unix socket for your own user: /admin/export and /admin/import")
      .value_name("PATH")
      .check(not_empty);
  command.add_flag("--no-tcp", options.no_tcp, "listen on the Unix socket alone")
      .needs(unix_path)
      .excludes(host)
      .excludes(port);
}

void add_guard_options(Command command, ServeOptions& options) {
  Option keys = command
                    .add_option("--api-key-file", options.key_path,
                                "file of API keys, one a line, 16 characters at least; each has a "
                                "cache of its own")
                    .value_name("FILE")
                    .check(not_empty);
  command
      .add_flag("--without-key", options.without_key,
                "let other machines in without a key, where --host is not this machine alone")
      .excludes(keys);
  command
      .add_option("--allow-host", options.hosts,
                  "a name by which clients may call this server (repeatable); IP addresses and "
                  "localhost always")
      .value_name("NAME")
      .one_value_each_time();
  command
      .add_option("--allow-origin", options.origins,
                  "a web page's origin that may call (repeatable): https://app.example")
      .value_name("ORIGIN")
      .one_value_each_time();
}

void add_load_options(Command command, ServeOptions& options) {
  command
      .add_option("--running", options.running_max, "requests under way at the same time, at most")
      .check_range(1, 4096)
      .show_default();
  command.add_option("--queue", options.queued_max, "requests that wait, at most")
      .check_range(1, 1 << 20)
      .show_default();
  command
      .add_option("--drain", options.drain_s,
                  "seconds that requests under way may take after SIGTERM")
      .value_name("SECONDS")
      .check_range(0, 86400)
      .show_default();
}

}  // namespace

void add_serve_command(Command program) {
  auto options = std::make_shared<ServeOptions>();
  Command command = program.add_command(
      "serve",
      "answer over HTTP, as OpenAI's and Anthropic's clients ask: Chat Completions, "
      "Completions, Responses, Messages");
  add_model_options(command, options->model);
  command
      .add_option(
          "--context", options->model.context,
          "tokens of a conversation with its answer, longer ones are refused; 0: as long as "
          "the model was made for")
      .check_range(0, int64_t{1} << 40)
      .show_default();
  add_store_options(command, options->store, true);
  add_address_options(command, *options);
  add_guard_options(command, *options);
  command.add_option("--name", options->name, "what the model is called; its file if left out");
  add_load_options(command, *options);
  command
      .add_option(
          "--warm", options->warm_path,
          "compute ahead what these requests begin with, system texts and tools: a body, or "
          "one a line")
      .value_name("FILE")
      .check(not_empty);
  command
      .add_option("--project-size", options->store.project_size,
                  "keep what the prompts of projects (header x-kvasir-project) begin with, so much "
                  "of the store at most")
      .value_name("SIZE")
      .check(is_size);
  command.add_flag("--keep-reasoning", options->keeps_reasoning,
                   "tell DeepSeek-V4 its earlier reasoning without tools too: such conversations "
                   "then go on from what was computed");
  command.add_flag("--quiet", options->quiet, "no line on standard error for each request");
  command.add_closing(kHelp);
  on_chosen(command, options, check_usage, serve);
}

}  // namespace kvasir::cli
