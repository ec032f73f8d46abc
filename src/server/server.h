// A Server answers over HTTP what a Service computes. It listens before the model is loaded, so
// that whoever asks learns that it is loading, and is given the service when it stands.
//
// It owns the HTTP server, the service and the threads that read bodies and write prompts as ids.
// One thread starts and stops it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/conversations.h"
#include "kvasir/replay.h"
#include "kvasir/result.h"
#include "kvasir/service.h"
#include "kvasir/store.h"
#include "server/guard.h"
#include "server/http_server.h"

namespace kvasir::server {

struct ServerOptions {
  HttpOptions http;
  GuardOptions guard;
  // Something is sent at least so often while a client waits.
  std::chrono::milliseconds heartbeat_period{5'000};
  std::function<void(const std::string& line)> access_log;  // null: none
  // Index into http.listeners of the one that only the person whose machine this is can reach; -1:
  // there is none.
  int admin_listener = -1;
};

struct ServedModel {
  std::string name;              // as clients see it
  std::string fingerprint;       // equal fingerprint, prompt and seed, equal bits
  int64_t context_tokens = 0;    // longer conversations are refused; 0: none is
  bool keeps_reasoning = false;  // FormOptions::keeps_reasoning, of all conversations
  bool keeps_projects = false;   // what their prompts begin with (StoreOptions::project_bytes_max)
  std::string precision;         // of the cache, as it was asked for
  int64_t kv_bytes_max = 0;      // of all sessions in memory; 0: no bound
  std::optional<StoreOptions> store = {};  // the engine's; none: it has none
};

// What is remembered of replies; null: nothing.
struct ServedBooks {
  std::shared_ptr<ReplayBook> said;
  std::shared_ptr<ConversationBook> conversations;
};

class Server {
 public:
  // Errors: an address that cannot be listened on.
  static Result<std::unique_ptr<Server>> start(ServerOptions options);
  // As stop(0 ms).
  virtual ~Server() = default;

  // From now on it answers. Error: the model has no chat form that could be served; completions of
  // plain text are served all the same, so this is for a person to know.
  // book: of what the model says in conversations; null: it is not kept.
  virtual Status serve(std::unique_ptr<Service> service, ServedModel model,
                       ServedBooks books = {}) = 0;

  // Computes what the prompts of these requests begin with, system texts and tools, when there is
  // nothing else to do. Error: a body that would be refused; `where` names it.
  virtual Status warm(const std::vector<std::string>& bodies, const std::string& where) = 0;

  virtual std::vector<std::string> addresses() const = 0;

  // Refuses what comes, lets what runs go on until `patience` is over, and waits until all is
  // saved. Error: as Service::drain.
  virtual Status stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace kvasir::server
