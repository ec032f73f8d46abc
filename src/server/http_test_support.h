// What tests of the HTTP server share: a server with a handler, and a client that sends bytes as
// they are and reads responses.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/http_server.h"

namespace kvasir::server::testing {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// Long enough for a loaded machine: only a failing test waits for it.
constexpr milliseconds kPatience = 20s;

// Looks again and again, for what happens on other threads.
inline bool eventually(const std::function<bool()>& is_so, milliseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(1000);
  }
  return true;
}

struct TestResponse {
  int status = 0;  // 0: the connection ended before a response was complete
  std::string head;
  std::string body;

  bool has(std::string_view line) const {
    return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }
};

class TestClient {
 public:
  explicit TestClient(const std::string& address,
                      const std::function<void()>& before_connect = {}) {
    connect_to(address, before_connect);
  }
  explicit TestClient(const HttpServer& server) : TestClient(server.addresses().front()) {}
  TestClient(TestClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  ~TestClient() { close(); }

  bool is_connected() const { return socket_ >= 0; }
  int socket() const { return socket_; }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  void shut_sending() const { ::shutdown(socket_, SHUT_WR); }

  // False: the server has closed the connection.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  // Waits for `text` and returns all up to its end; what came if it never does.
  std::string read_past(std::string_view text) {
    size_t at = 0;
    while ((at = received_.find(text)) == std::string::npos) {
      if (!receive()) return std::exchange(received_, "");
    }
    std::string result = received_.substr(0, at + text.size());
    received_.erase(0, result.size());
    return result;
  }
  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(received_, "");
  }
  bool is_silent() const {
    pollfd one{.fd = socket_, .events = POLLIN, .revents = 0};
    return received_.empty() && ::poll(&one, 1, 0) == 0;
  }
  // The server has ended the connection and sent nothing more.
  bool is_at_end() { return received_.empty() && !receive(); }

  TestResponse read_response(bool is_head = false) {
    TestResponse response;
    response.head = read_past("\r\n\r\n");
    if (!response.head.starts_with("HTTP/1.1 ")) return {};
    response.status = std::atoi(response.head.c_str() + 9);
    if (is_head || response.status == 204) return response;
    if (response.has("Transfer-Encoding: chunked")) {
      for (size_t size = 1; size > 0;) {
        size = std::strtoul(read_past("\r\n").c_str(), nullptr, 16);
        response.body += read_count(size);
        if (read_past("\r\n") != "\r\n") return {};
      }
    } else if (const size_t at = response.head.find("Content-Length: "); at != std::string::npos) {
      const size_t size = std::strtoul(response.head.c_str() + at + 16, nullptr, 10);
      response.body = read_count(size);
      if (response.body.size() != size) return {};
    } else {
      response.body = read_to_end();
    }
    return response;
  }
  TestResponse ask(std::string_view request) { return send(request), read_response(); }

 private:
  void connect_to(const std::string& address, const std::function<void()>& before_connect) {
    sockaddr_storage place{};
    socklen_t size = 0;
    if (address.starts_with("unix:")) {
      auto& local = reinterpret_cast<sockaddr_un&>(place);
      local.sun_family = AF_UNIX;
      std::strncpy(local.sun_path, address.c_str() + 5, sizeof local.sun_path - 1);
      size = sizeof local;
    } else {
      const size_t colon = address.rfind(':');
      const auto port =
          htons(static_cast<uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 10)));
      if (address.starts_with("[")) {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(place);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = port;
        ::inet_pton(AF_INET6, address.substr(1, colon - 2).c_str(), &v6.sin6_addr);
        size = sizeof v6;
      } else {
        auto& v4 = reinterpret_cast<sockaddr_in&>(place);
        v4.sin_family = AF_INET;
        v4.sin_port = port;
        ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &v4.sin_addr);
        size = sizeof v4;
      }
    }
    socket_ = ::socket(place.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (before_connect) before_connect();
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&place), size) != 0) close();
  }

  std::string read_count(size_t count) {
    while (received_.size() < count && receive()) {
    }
    std::string result = received_.substr(0, count);
    received_.erase(0, result.size());
    return result;
  }
  bool receive() {
    pollfd one{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, static_cast<int>(kPatience.count())) <= 0) {
      ADD_FAILURE() << "the server is silent; so far: " << received_;
      return false;
    }
    char bytes[16384];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  int socket_ = -1;
  std::string received_;
};

inline HttpResponse text_response(int status, std::string_view text) {
  return {status, {{"Content-Type", "text/plain"}}, std::string(text)};
}

inline std::optional<HttpResponse> let_pass(const HttpRequest&) { return std::nullopt; }

inline void echo(const std::shared_ptr<HttpExchange>& exchange) {
  const HttpRequest& request = exchange->request();
  exchange->respond(text_response(200, request.method + " " + request.path + " " + request.body));
}

inline HttpOptions loopback() { return {.listeners = {{.host = "127.0.0.1"}}}; }

inline std::unique_ptr<HttpServer> serve(HttpHandler handler,
                                         const HttpOptions& options = loopback(),
                                         HttpGuard guard = let_pass) {
  auto server = HttpServer::start(
      options, {.guard = std::move(guard),
                .handle = std::move(handler),
                .error_body = [](int status, std::string_view why, std::string_view path) {
                  return text_response(
                      status, std::string(why) + (path.empty() ? "" : " at ") + std::string(path));
                }});
  EXPECT_TRUE(server.ok()) << server.error().message();
  return std::move(server).value();
}

inline std::string get(std::string_view path, std::string_view more_headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more_headers) +
         "\r\n";
}
inline std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

}  // namespace kvasir::server::testing
