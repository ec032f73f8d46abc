#include "scripted_http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/check.h"

namespace kvasir::testing {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kForever{600'000};

int listen_on_loopback(int& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof place;
  KVASIR_CHECK(::bind(listener, reinterpret_cast<sockaddr*>(&place), size) == 0 &&
                   ::listen(listener, 16) == 0 &&
                   ::getsockname(listener, reinterpret_cast<sockaddr*>(&place), &size) == 0,
               "a free port");
  port = ntohs(place.sin_port);
  return listener;
}

bool send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

}  // namespace

std::string HttpQuestion::header(std::string_view name) const {
  const std::string begin = "\r\n" + std::string(name) + ": ";
  const size_t at = head.find(begin);
  if (at == std::string::npos) return "";
  return head.substr(at + begin.size(), head.find("\r\n", at + 2) - at - begin.size());
}

ScriptedAnswer answer_of(std::string_view status, std::string_view body, std::string_view headers) {
  return {.bytes = "HTTP/1.1 " + std::string(status) +
                   "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                   std::string(headers) + "\r\n" + std::string(body)};
}

ScriptedHttpServer::ScriptedHttpServer()
    : listener_(listen_on_loopback(port_)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { run(); });
}

ScriptedHttpServer::~ScriptedHttpServer() {
  const uint64_t one = 1;
  KVASIR_CHECK(::write(stop_, &one, sizeof one) == sizeof one, "the thread is told");
  thread_.join();
  ::close(listener_);
  ::close(stop_);
}

void ScriptedHttpServer::will_answer(ScriptedAnswer answer) {
  const std::lock_guard lock(mutex_);
  answers_.push_back(std::move(answer));
}

std::vector<HttpQuestion> ScriptedHttpServer::questions() {
  const std::lock_guard lock(mutex_);
  return questions_;
}

// False: the time is over, or the server ends.
bool ScriptedHttpServer::wait_for_bytes(int file, milliseconds time) {
  pollfd waited[2] = {{stop_, POLLIN, 0}, {file, POLLIN, 0}};
  const int count = ::poll(waited, file < 0 ? 1 : 2, static_cast<int>(time.count()));
  return count > 0 && waited[0].revents == 0;
}

void ScriptedHttpServer::run() {
  for (int index = 0; wait_for_bytes(listener_, kForever); ++index) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int yes = 1;
    ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    serve(connection, index);
    ::close(connection);
  }
}

void ScriptedHttpServer::serve(int connection, int index) {
  std::string unread;
  while (true) {
    HttpQuestion question{.connection = index};
    if (!read_question(connection, question, unread)) return;
    std::optional<ScriptedAnswer> answer;
    {
      const std::lock_guard lock(mutex_);
      questions_.push_back(std::move(question));
      if (!answers_.empty()) {
        answer = std::move(answers_.front());
        answers_.pop_front();
      }
    }
    if (!answer || !answer_question(connection, *answer)) return;
  }
}

// False: the connection ends before there is a whole one.
bool ScriptedHttpServer::read_question(int connection, HttpQuestion& question,
                                       std::string& unread) {
  size_t body_bytes = std::string::npos;
  while (body_bytes == std::string::npos || unread.size() < body_bytes) {
    const size_t head_end = unread.find("\r\n\r\n");
    if (body_bytes == std::string::npos && head_end != std::string::npos) {
      question.head = unread.substr(0, head_end + 2);
      question.line = question.head.substr(0, question.head.find("\r\n"));
      unread.erase(0, head_end + 4);
      body_bytes = std::strtoul(question.header("Content-Length").c_str(), nullptr, 10);
      const std::lock_guard lock(mutex_);
      if (!answers_.empty() && answers_.front().comes_before_body) return true;
      continue;
    }
    char buffer[65536];
    if (!wait_for_bytes(connection, kForever)) return false;
    const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    unread.append(buffer, static_cast<size_t>(count));
  }
  question.body = unread.substr(0, body_bytes);
  unread.erase(0, body_bytes);
  return true;
}

// False: the connection is to be closed.
bool ScriptedHttpServer::answer_question(int connection, const ScriptedAnswer& answer) {
  std::string_view left = answer.bytes;
  while (!left.empty()) {
    const size_t bytes = answer.piece_bytes == 0 ? left.size() : answer.piece_bytes;
    if (!send_all(connection, left.substr(0, bytes))) return false;
    left.remove_prefix(std::min(bytes, left.size()));
    if (answer.pause.count() > 0) wait_for_bytes(-1, answer.pause);
  }
  if (answer.hangs) wait_for_bytes(-1, kForever);
  return !answer.closes && !answer.comes_before_body && !answer.hangs;
}

}  // namespace kvasir::testing
