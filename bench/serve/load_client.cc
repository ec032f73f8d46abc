#include "bench/serve/load_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/system_error.h"
#include "bench/serve/answer_reader.h"

namespace kvasir::bench {
namespace {

constexpr int kSlowRoomBytes = 4096;
constexpr size_t kSlowReadBytes = 256;
constexpr double kSlowRestMs = 50;
constexpr int kWaitMs = 10;
constexpr int kEventsAtOnce = 64;

// The same clock for all clients.
double now_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_ = -1;
};

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<Descriptor> connect_to(const Endpoint& endpoint, bool with_little_room) {
  const std::string where = endpoint.host + ":" + endpoint.port;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &wanted, &found) != 0) {
    return Error{.kind = ErrorKind::kNotFound, .what = "no such host", .where = where};
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Descriptor socket(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol));
    if (with_little_room) {
      ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVBUF, &kSlowRoomBytes, sizeof kSlowRoomBytes);
    }
    const int yes = 1;
    ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (::connect(socket.number(), one->ai_addr, one->ai_addrlen) == 0) return socket;
    error = errno;
  }
  return system_error("cannot reach the server", where, error);
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

struct Request {
  Ask ask;
  LoadClient::OnAnswer on_end;
  LoadClient::OnAnswer on_token;
  Answer answer;
  AnswerReader reader;
  Descriptor socket;
};

void finish(Request& request) {
  Answer& answer = request.answer;
  answer.ended_ms = now_ms() - answer.started_ms;
  answer.status = request.reader.status();
  answer.body = request.reader.body();
  if (!answer.error.empty() || answer.is_cancelled) return;
  if (answer.status >= 400) answer.error = fmt::format("HTTP {}: {}", answer.status, answer.body);
}

}  // namespace

struct LoadClient::State {
  void begin(Request& request);
  std::optional<std::string> read(Request& request);
  void rest(Request& request);
  void wake_rested();
  void end(uint64_t id);
  std::string head_of(const Ask& ask) const;

  Endpoint endpoint;
  std::string key;
  Descriptor epoll{::epoll_create1(EPOLL_CLOEXEC)};
  uint64_t next_id = 0;
  std::map<uint64_t, Request> requests;
  std::deque<std::pair<double, uint64_t>> resting;  // until when
  std::vector<Descriptor> idle;
  std::vector<char> buffer = std::vector<char>(64 << 10);
};

std::string LoadClient::State::head_of(const Ask& ask) const {
  std::string head =
      fmt::format("{} {}{} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n", ask.method,
                  endpoint.base_path, ask.path, endpoint.host, endpoint.port);
  if (!key.empty()) head += fmt::format("Authorization: Bearer {}\r\n", key);
  if (ask.method == "POST") {
    head +=
        fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", ask.body.size());
  }
  return head + "\r\n";
}

void LoadClient::State::begin(Request& request) {
  Result<Descriptor> socket = connect_to(endpoint, request.ask.reads_slowly);
  if (!socket.ok()) {
    request.answer.error = socket.error().message();
    return;
  }
  request.socket = std::move(*socket);
  // A server that refuses may do so before it has read all; what it says is read in any case.
  send_all(request.socket.number(), head_of(request.ask) + request.ask.body);
}

LoadClient::LoadClient(Endpoint endpoint, std::string key) : state_(std::make_unique<State>()) {
  state_->endpoint = std::move(endpoint);
  state_->key = std::move(key);
}

LoadClient::~LoadClient() = default;

void LoadClient::start(Ask ask, OnAnswer on_end, OnAnswer on_token) {
  const uint64_t id = state_->next_id++;
  Request& request = state_->requests[id];
  request.ask = std::move(ask);
  request.on_end = std::move(on_end);
  request.on_token = std::move(on_token);
  request.answer.started_ms = now_ms();
  state_->begin(request);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
  if (request.answer.ok()) {
    ::epoll_ctl(state_->epoll.number(), EPOLL_CTL_ADD, request.socket.number(), &event);
  } else {
    state_->resting.emplace_front(0, id);  // its end is told from run()
  }
}

Status LoadClient::open_idle(int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    KVASIR_ASSIGN_OR_RETURN(Descriptor socket, connect_to(state_->endpoint, false));
    state_->idle.push_back(std::move(socket));
  }
  return ok_status();
}

void LoadClient::stop_all() {
  for (auto& [id, request] : state_->requests) {
    request.answer.is_cancelled = true;
    state_->resting.emplace_front(0, id);
  }
}

// Returns the error with which it ended, "" for none; nothing: it goes on.
std::optional<std::string> LoadClient::State::read(Request& request) {
  Answer& answer = request.answer;
  const size_t room = request.ask.reads_slowly ? kSlowReadBytes : buffer.size();
  const ssize_t count = ::recv(request.socket.number(), buffer.data(), room, 0);
  if (count < 0 && errno == EINTR) return std::nullopt;
  if (count < 0) return "the connection was lost";
  if (count == 0) {
    const Status end = request.reader.finish();
    return end.ok() ? "" : end.error().message();
  }
  const double at_ms = now_ms() - answer.started_ms;
  const size_t seen = answer.token_ms.size();
  const Status taken =
      request.reader.take({buffer.data(), static_cast<size_t>(count)},
                          [&](std::string_view data) { read_chunk(data, at_ms, answer); });
  if (!taken.ok()) return taken.error().message();
  if (!answer.error.empty()) return answer.error;
  if (answer.token_ms.size() > seen && request.on_token) request.on_token(answer);
  if (request.reader.is_done()) return "";
  return std::nullopt;
}

void LoadClient::State::rest(Request& request) {
  epoll_event event{.events = 0, .data = {.u64 = resting.back().second}};
  ::epoll_ctl(epoll.number(), EPOLL_CTL_MOD, request.socket.number(), &event);
}

// What was cancelled or could not begin ends here, too.
void LoadClient::State::wake_rested() {
  while (!resting.empty() && resting.front().first <= now_ms()) {
    const uint64_t id = resting.front().second;
    resting.pop_front();
    const auto found = requests.find(id);
    if (found == requests.end()) continue;
    if (found->second.answer.is_cancelled || !found->second.answer.ok()) {
      end(id);
      continue;
    }
    epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
    ::epoll_ctl(epoll.number(), EPOLL_CTL_MOD, found->second.socket.number(), &event);
  }
}

void LoadClient::State::end(uint64_t id) {
  auto node = requests.extract(id);
  Request& request = node.mapped();
  request.socket = Descriptor();
  finish(request);
  if (request.on_end) request.on_end(request.answer);
}

Status LoadClient::run(double patience_s) {
  State& state = *state_;
  double heard_ms = now_ms();
  while (!state.requests.empty()) {
    epoll_event events[kEventsAtOnce];
    const int wait_ms = state.resting.empty() ? 1000 : kWaitMs;
    const bool is_due = !state.resting.empty() && state.resting.front().first == 0;
    const int count =
        ::epoll_wait(state.epoll.number(), events, kEventsAtOnce, is_due ? 0 : wait_ms);
    if (count > 0) heard_ms = now_ms();
    for (int i = 0; i < count; ++i) {
      const uint64_t id = events[i].data.u64;
      const auto found = state.requests.find(id);
      if (found == state.requests.end() || found->second.answer.is_cancelled) continue;
      if (const std::optional<std::string> error = state.read(found->second)) {
        found->second.answer.error = *error;
        state.end(id);
      } else if (found->second.ask.reads_slowly) {
        state.resting.emplace_back(now_ms() + kSlowRestMs, id);
        state.rest(found->second);
      }
    }
    state.wake_rested();
    if (state.resting.empty() && now_ms() - heard_ms > patience_s * 1000) {
      return Error{.kind = ErrorKind::kIo, .what = "the server has gone silent"};
    }
  }
  return ok_status();
}

Result<Answer> LoadClient::ask(Ask ask) {
  Answer result;
  start(std::move(ask), [&](const Answer& answer) { result = answer; });
  KVASIR_RETURN_IF_ERROR(run());
  if (result.ok()) return result;
  return Error{
      .kind = ErrorKind::kIo, .what = "the server has not answered", .found = result.error};
}

}  // namespace kvasir::bench
