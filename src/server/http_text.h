// What the HTTP server must know of HTTP beyond its grammar: which well-formed heads are refused
// all the same, what a target means, and how the head of a response is written. Plain functions
// without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_server.h"

namespace kvasir::server {

bool equal_ignoring_case(std::string_view a, std::string_view b);

struct HttpRefusal {
  int status = 400;
  std::string why;
};

// Fills path and query. A target in absolute form brings its own Host, which replaces the header's.
std::optional<HttpRefusal> read_target(std::string_view target, HttpRequest& request);

// Heads whose meaning two programs in a row could read differently, and what is not done here:
// encoded bodies, expectations other than 100-continue.
std::optional<HttpRefusal> check_head(const HttpRequest& request, bool is_http_1_0);

struct HttpFraming {
  bool is_http_1_0 = false;
  bool keeps_alive = true;
  std::optional<int64_t> body_bytes;  // none: chunked, or until the connection closes
};

bool status_has_body(int status);

// Status line and headers to the empty line. Headers of `response` that say what `framing` says
// are left out; control characters become blanks.
std::string response_head(const HttpResponse& response, const HttpFraming& framing);

}  // namespace kvasir::server
