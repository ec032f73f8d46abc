// An HttpConnection asks one server, one request after another over one connection that is kept.
//
// It follows no redirect, takes no proxy from the environment, speaks HTTP/1.1 and nothing else,
// and puts the body of an answer where its caller says, never more of it than fits there. It waits
// no longer than LinkLimits and the deadline allow. One thread at a time; nothing is shared between
// connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "store/remote/object_client.h"
#include "store/remote/s3/sig_v4.h"

namespace kvasir::store::remote {

struct HttpServer {
  std::string origin;   // "http://host:port", "https://[::1]:9000"
  std::string ca_file;  // PEM, which alone is trusted; empty: what the system trusts
  LinkLimits limits;
};

enum class HttpMethod : uint8_t { kHead, kGet, kPut, kDelete };
std::string_view name_of(HttpMethod method);  // "HEAD"

struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  std::string target;  // path and query as they are sent: "/bucket/a%20b?list-type=2"
  std::vector<NamedValue> headers;
  std::span<const std::byte> body;  // of a PUT
};

struct HttpHead {
  int status = 0;
  std::vector<NamedValue> headers;  // names in lower case

  // The first of that name; empty: there is none.
  std::string_view header(std::string_view name) const;
  // None: the server does not say how long the body is.
  std::optional<int64_t> content_length;
};

struct HttpAnswer {
  HttpHead head;
  size_t body_bytes = 0;  // as many were put where the body goes
  bool is_whole = true;   // false: the body did not fit there, or its head says that it would not
};

// Says where the body goes, once the head of the answer is known. Not called where none comes.
using BodyPlace = std::function<std::span<std::byte>(const HttpHead&)>;

class HttpConnection {
 public:
  explicit HttpConnection(HttpServer server);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Any status is an answer. Errors: kIo (no connection, cut off, too slow), kInterrupted (the
  // deadline), kDamaged (this is not HTTP, or its head is longer than 64 KiB), kUsage (the
  // certificates do not fit, or the origin is none). After an Error the connection is closed.
  Result<HttpAnswer> exchange(const HttpRequest& request, const BodyPlace& place,
                              Deadline deadline);
  // The next request makes a new connection.
  void close();

 private:
  struct Handles;

  // was_closed: set where the server closed the connection before a byte of its answer.
  Result<HttpAnswer> exchange_once(const HttpRequest& request, const BodyPlace& place,
                                   Deadline deadline, bool& was_closed);

  HttpServer server_;
  std::unique_ptr<Handles> handles_;  // none: no connection yet
};

}  // namespace kvasir::store::remote
