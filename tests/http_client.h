// A small HTTP client for tests: one request a connection, over TCP on this machine.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::testing {

struct HttpAnswer {
  int status = 0;  // 0: the connection ended before there was a whole answer
  std::string body;
};

// `body` empty: GET. `headers`: more lines, each with its "\r\n". Waits ten minutes at most for
// each piece of the answer.
HttpAnswer ask_http(int port, std::string_view target, std::string_view body = {},
                    std::string_view headers = {});

HttpAnswer ask_http_unix(const std::string& socket, std::string_view target, std::string_view body);

// Waits until a server with a store saves no more of what it has computed.
void wait_until_saved(int port);

}  // namespace kvasir::testing
