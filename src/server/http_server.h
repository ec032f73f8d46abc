// An HttpServer speaks HTTP/1.1 on TCP and Unix sockets: requests in, whole or streamed responses
// out. It knows nothing of models. Two source files know the library behind it: http_server.cc its
// sockets, request_reader.cc its grammar of requests.
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
  int64_t output_bytes_max = 4 << 20;  // that wait for one client when the next piece comes
  int connections_max = 1024;
  int bodies_at_once_max = 8;  // unfinished ones above 64 KiB; others wait unread
  std::chrono::milliseconds header_patience{10'000};
  std::chrono::milliseconds idle_patience{75'000};  // between requests of one connection
  int64_t body_bytes_per_second_min = 1024;         // in every stretch of header_patience
};

// An HttpExchange is one request and its response. Any thread may call it, also several at once. It
// may outlive its connection and the server: then calls return false. Dropped without an end: the
// connection closes. The server decides on Content-Length, Transfer-Encoding, Connection and Date,
// and leaves out the bodies of answers to HEAD. Times are kept to a tenth of a second.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  virtual const HttpRequest& request() const = 0;
  // Gives the body away, so that it does not take memory for as long as the answer takes. REQUIRES:
  // nobody else looks at the request at the same time.
  virtual std::string take_body() = 0;

  // Sends a whole response, of any size. REQUIRES: nothing was sent before.
  virtual bool respond(HttpResponse response) = 0;

  // Begins a streamed response; the body of `head` is its first piece and may be empty.
  virtual bool begin(HttpResponse head) = 0;
  // False: the client is gone, or has let too much wait.
  virtual bool write(std::string_view bytes) = 0;
  virtual void end() = 0;

  // Calls `gone` on the server's thread, once, when the client leaves before the end; at once on
  // the caller's, when it has left already. A client that only shuts its sending side is given half
  // a second: what is answered by then, it gets.
  virtual void on_gone(std::function<void()> gone) = 0;
  // Calls `speak` on the server's thread whenever nothing was written for that long and nothing
  // waits to be sent, until the end. It may call begin() and write().
  virtual void on_silence(std::chrono::milliseconds period, std::function<void()> speak) = 0;
};

// Sees a request whose body was not read yet, on the server's thread. A response refuses it, and
// the connection closes. Heads that are malformed, too large, or announce too large a body are
// refused before.
using HttpGuard = std::function<std::optional<HttpResponse>(const HttpRequest& head)>;
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange> exchange)>;
// Makes the response to what the server itself refuses (400, 408, 413, 414, 415, 417, 431, 501,
// 503). `path` is empty where it is not known.
using HttpErrorBody =
    std::function<HttpResponse(int status, std::string_view why, std::string_view path)>;

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
  // The same, waits until exchanges have ended or `patience` is over, and ends the thread; those
  // who still wait for an answer have then gone. Another thread may stop it sooner. REQUIRES: not
  // the server's thread.
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace kvasir::server
