#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>

namespace kvasir::testing {

std::string HttpAnswer::header(std::string_view name) const {
  std::string names = head;
  std::ranges::transform(names, names.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string line = "\n" + std::string(name) + ": ";
  const size_t at = names.find(line);
  if (at == std::string::npos) return {};
  const size_t begin = at + line.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

namespace {

constexpr time_t kPatienceS = 600;

int connect_to(int port) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = kPatienceS, .tv_usec = 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<uint16_t>(port));
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0) {
    return connection;
  }
  ::close(connection);
  return -1;
}

int connect_to(const std::string& socket) {
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  socket.copy(place.sun_path, sizeof place.sun_path - 1);
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0) {
    return connection;
  }
  ::close(connection);
  return -1;
}

bool send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

std::string receive_all(int connection) {
  std::string received;
  char buffer[16384];
  ssize_t count = 0;
  while ((count = ::recv(connection, buffer, sizeof buffer, 0)) > 0) {
    received.append(buffer, static_cast<size_t>(count));
  }
  return received;
}

// None: the last chunk is missing.
std::optional<std::string> joined_chunks(std::string_view chunks) {
  std::string body;
  while (true) {
    const size_t line_end = chunks.find("\r\n");
    if (line_end == std::string_view::npos) return std::nullopt;
    const size_t size = std::strtoul(std::string(chunks.substr(0, line_end)).c_str(), nullptr, 16);
    chunks.remove_prefix(line_end + 2);
    if (size == 0) return body;
    if (chunks.size() < size + 2) return std::nullopt;
    body += chunks.substr(0, size);
    chunks.remove_prefix(size + 2);
  }
}

HttpAnswer answer_of(std::string_view received) {
  const size_t head_end = received.find("\r\n\r\n");
  if (head_end == std::string_view::npos || !received.starts_with("HTTP/1.1 ")) return {};
  HttpAnswer answer{.status = std::atoi(std::string(received.substr(9, 3)).c_str()),
                    .body = std::string(received.substr(head_end + 4)),
                    .head = std::string(received.substr(0, head_end + 2))};
  if (answer.header("transfer-encoding") == "chunked") {
    const auto body = joined_chunks(answer.body);
    if (!body) return {};
    answer.body = *body;
    return answer;
  }
  const std::string length = answer.header("content-length");
  const bool is_whole = length.empty() || std::stoul(length) == answer.body.size();
  return is_whole ? answer : HttpAnswer{};
}

// Closes the connection.
HttpAnswer ask_on(int connection, std::string_view target, std::string_view body,
                  std::string_view headers) {
  if (connection < 0) return {};
  std::string request = body.empty() ? "GET " : "POST ";
  request += std::string(target) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  if (!body.empty()) {
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  request += std::string(headers) + "\r\n";
  HttpAnswer answer;
  if (send_all(connection, request) && send_all(connection, body)) {
    answer = answer_of(receive_all(connection));
  }
  ::close(connection);
  return answer;
}

}  // namespace

HttpConnection::HttpConnection(int port) : connection_(connect_to(port)) {}
HttpConnection::~HttpConnection() { ::close(connection_); }
bool HttpConnection::send(std::string_view bytes) { return send_all(connection_, bytes); }
HttpAnswer HttpConnection::last_answer() { return answer_of(receive_all(connection_)); }

HttpAnswer ask_http(int port, std::string_view target, std::string_view body,
                    std::string_view headers) {
  return ask_on(connect_to(port), target, body, headers);
}

HttpAnswer ask_http_unix(const std::string& socket, std::string_view target,
                         std::string_view body) {
  return ask_on(connect_to(socket), target, body, {});
}

namespace {

int64_t written_records(int port) {
  const std::string text = ask_http(port, "/metrics").body;
  const size_t at = text.find("\nkvasir_store_written_records_total{");
  if (at == std::string::npos) std::abort();
  return std::atoll(text.c_str() + text.find("} ", at) + 2);
}

}  // namespace

// Counts are those of the newest step: a question of one token makes one.
void wait_until_saved(int port) {
  for (int64_t records = -1, before = -2; records != before;) {
    before = records;
    usleep(500'000);
    (void)ask_http(port, "/v1/completions", R"({"prompt":[1],"max_tokens":1})");
    records = written_records(port);
  }
}

}  // namespace kvasir::testing
