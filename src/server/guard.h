// A Guard looks at the head of each request before anything else does: who may call, from where,
// and whose cache is used. Immutable, so any thread may use it.
//
// - The Host has to be an IP address, localhost or a name that was allowed: else a web page could
//   reach the server by a name of its own (DNS rebinding). Requests over a Unix socket need none.
// - An Origin that is neither this server's own, as its Host says, nor allowed is refused, whatever
//   the method.
// - POST bodies are application/json, which a form of a foreign page cannot send.
// - With keys, one of them comes as `Authorization: Bearer` or `x-api-key`; they are compared in a
//   time that does not depend on them. /health, /ready and the page at / need none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "server/api_error.h"
#include "server/http_server.h"

namespace kvasir::server {

struct GuardOptions {
  std::vector<std::string> keys;     // none: everybody may call
  std::vector<std::string> hosts;    // names, besides IP addresses and localhost
  std::vector<std::string> origins;  // "https://app.example", whole
};

class Guard {
 public:
  explicit Guard(GuardOptions options);

  // Returns why a request is refused; nothing: it may go on. kMediaType comes last: then nothing
  // else is wrong with it.
  std::optional<ApiError> refuse(const HttpRequest& head) const;
  // CORS headers for a response to that request; none where its Origin was not allowed.
  HttpHeaders cors_headers(const HttpRequest& head) const;
  // What answers a browser that asks whether a page with an allowed Origin may call; nothing: this
  // is no such question.
  std::optional<HttpHeaders> preflight_headers(const HttpRequest& head) const;

  // Returns what keeps the caller's cache apart: of its own key where there are several keys, and
  // of `asked` (cache_salt). Equal inputs give equal salts, different ones never the same.
  std::string salt_for(const HttpRequest& head, std::string_view asked) const;
  // Whether callers have caches of their own, which the others are not to see.
  bool parts_callers() const { return options_.keys.size() > 1; }
  // Returns a short name of the caller's key for logs and metrics, from which the key cannot be
  // told; "-" without keys.
  std::string caller_name(const HttpRequest& head) const;

 private:
  std::optional<ApiError> refuse_key(const HttpRequest& head) const;

  GuardOptions options_;
};

// Reads a file of keys: one a line, blank lines and lines that begin with # left out. Errors: it
// cannot be read, others than its owner and root's group may read it, no key, one shorter than 16
// characters.
Result<std::vector<std::string>> read_key_file(const std::string& path);

}  // namespace kvasir::server
