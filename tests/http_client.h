// A small HTTP client for tests: one request a connection, over TCP on this machine.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::testing {

struct HttpAnswer {
  // What it says of a name in small letters; empty: nothing.
  std::string header(std::string_view name) const;

  int status = 0;  // 0: the connection ended before there was a whole answer
  std::string body;
  std::string head;  // its lines, each with its "\r\n"
};

// `body` empty: GET. `headers`: more lines, each with its "\r\n". Waits ten minutes at most for
// each piece of the answer.
HttpAnswer ask_http(int port, std::string_view target, std::string_view body = {},
                    std::string_view headers = {});

// An HttpConnection sends what it is told, and reads one answer when that is asked for.
class HttpConnection {
 public:
  explicit HttpConnection(int port);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool send(std::string_view bytes);
  // All that comes until the server closes.
  HttpAnswer last_answer();

 private:
  const int connection_;
};

HttpAnswer ask_http_unix(const std::string& socket, std::string_view target, std::string_view body);

// Waits until a server with a store saves no more of what it has computed.
void wait_until_saved(int port);

}  // namespace kvasir::testing
