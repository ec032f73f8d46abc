// An HttpServer speaks HTTP/1.1 on TCP and Unix sockets: requests in, whole or streamed responses
// out. It knows nothing of models. The one source file behind it is the one that knows the HTTP
// library.
//
// One thread of its own does all reading and writing and calls the handler, which must not wait:
// what takes long goes elsewhere, keeps the HttpExchange, and answers from there. A client that
// does not read is paused in its output alone; what waits for it is bounded, and one that passes
// the bound is cut off.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::server {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // "/v1/models", percent-decoded; without the query
  std::string query;   // "beta=true"
  HttpHeaders headers;
  std::string body;
  std::string peer;  // "127.0.0.1:40312"; "unix" on a Unix socket
  int listener = 0;  // index into HttpOptions::listeners

  // Names compare without case. Null: there is none. The first one where there are several.
  const std::string* header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  std::string body;
};

struct HttpListener {
  std::string host;   // an IP address; with `unix_path` empty
  uint16_t port = 0;  // 0: any free one
  std::string
      unix_path;  // a socket file, mode 0600; one that nobody listens on any more is replaced
};

struct HttpOptions {
  std::vector<HttpListener> listeners;
  int64_t header_bytes_max = 32 << 10;
  int64_t body_bytes_max = 64 << 20;
  int64_t output_bytes_max = 4 << 20;  // that wait for one client
  int connections_max = 1024;
  int bodies_at_once_max = 8;  // unfinished ones; others wait unread
  std::chrono::milliseconds header_patience{10'000};
  std::chrono::milliseconds idle_patience{75'000};  // between requests of one connection
  int64_t body_bytes_per_second_min = 1024;  // slower bodies are cut off, after header_patience
};

// An HttpExchange is one request and its response. Any thread may call it, one at a time. It may
// outlive its connection: then calls return false. Dropped without an end: the connection closes.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  virtual const HttpRequest& request() const = 0;

  // Sends a whole response. REQUIRES: nothing was sent before.
  virtual bool respond(HttpResponse response) = 0;

  // Begins a streamed response; the body of `head` is its first piece and may be empty.
  virtual bool begin(HttpResponse head) = 0;
  // False: the client is gone, or has let too much wait.
  virtual bool write(std::string_view bytes) = 0;
  virtual void end() = 0;

  // Calls `gone` on the server's thread, once, when the client leaves before the end.
  virtual void on_gone(std::function<void()> gone) = 0;
  // Calls `speak` on the server's thread whenever nothing was sent for that long, until the end. It
  // may call begin() and write().
  virtual void on_silence(std::chrono::milliseconds period, std::function<void()> speak) = 0;
};

// Sees a request whose body was not read yet, on the server's thread. A response refuses it, and
// the connection closes.
using HttpGuard = std::function<std::optional<HttpResponse>(const HttpRequest& head)>;
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange> exchange)>;
// Makes the body of what the server itself refuses (400, 408, 411, 413, 414, 415, 417, 431, 501,
// 503).
using HttpErrorBody = std::function<HttpResponse(int status, std::string_view why)>;

struct HttpCounts {
  int64_t connections = 0;  // open now
  int64_t accepted = 0;
  int64_t refused = 0;  // malformed, too large or too slow
  int64_t cut_off = 0;  // let too much output wait
};

class HttpServer {
 public:
  struct Handlers {
    HttpGuard guard;
    HttpHandler handle;
    HttpErrorBody error_body;
  };

  // Error: an address that cannot be listened on.
  static Result<std::unique_ptr<HttpServer>> start(const HttpOptions& options, Handlers handlers);
  // As stop(0 ms).
  virtual ~HttpServer() = default;

  // Where it listens, in the order of the options: "127.0.0.1:8080", "unix:/run/kvasir.sock".
  virtual std::vector<std::string> addresses() const = 0;
  virtual HttpCounts counts() const = 0;

  // Takes no more connections, closes those that are idle; exchanges go on, and each connection
  // closes after its own.
  virtual void stop_accepting() = 0;
  // The same, waits until exchanges have ended or `patience` is over, and ends the thread.
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace kvasir::server
