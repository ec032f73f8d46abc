#include "fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace kvasir::testing {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kHeldBytesMax = 1 << 20;
constexpr int kStepMs = 1;
constexpr int kIdleMs = 20;

sockaddr_in on_this_machine(int port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<uint16_t>(port));
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return place;
}

void reset(int& descriptor) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(descriptor, -1));
}

void set_up(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

// How long the first reply of a text is; 0: it is not whole.
size_t reply_bytes(std::string_view text) {
  const size_t end = text.find("\r\n");
  if (end == text.npos) return 0;
  const size_t line = end + 2;
  const int64_t number = std::atoll(std::string(text.substr(1, end - 1)).c_str());
  if (text[0] == '$' && number >= 0) {
    const size_t whole = line + static_cast<size_t>(number) + 2;
    return whole <= text.size() ? whole : 0;
  }
  size_t at = line;
  for (int64_t i = 0; text[0] == '*' && i < number; ++i) {
    const size_t one = reply_bytes(text.substr(at));
    if (one == 0) return 0;
    at += one;
  }
  return at;
}

// Doubles and swaps replies; what is not whole waits.
class ReplyMixer {
 public:
  explicit ReplyMixer(const FaultScript& script) : script_(script) {}

  std::string mix(std::string_view arrived) {
    if (script_.duplicate_at < 0 && script_.swap_at < 0) return std::string(arrived);
    unmixed_ += arrived;
    std::string mixed;
    for (size_t size = 0; (size = reply_bytes(unmixed_)) != 0; ++count_) {
      const std::string reply = unmixed_.substr(0, size);
      unmixed_.erase(0, size);
      if (count_ == script_.swap_at) {
        behind_ = reply;
        continue;
      }
      mixed += reply;
      if (count_ == script_.duplicate_at) mixed += reply;
      mixed += std::exchange(behind_, "");
    }
    return mixed;
  }

 private:
  FaultScript script_;
  std::string unmixed_;
  std::string behind_;
  int64_t count_ = 0;
};

// One direction: bytes that have arrived and not yet gone on.
struct Flow {
  struct Piece {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Piece> pieces;
  size_t held_bytes = 0;
  int64_t passed_bytes = 0;
  Clock::time_point since = Clock::now();
  bool is_at_end = false;

  void add(std::string bytes, milliseconds delay) {
    held_bytes += bytes.size();
    pieces.push_back({Clock::now() + delay, std::move(bytes)});
  }
  // How many bytes may go now.
  size_t allowed(int64_t bytes_per_s) const {
    if (pieces.empty() || pieces.front().due > Clock::now()) return 0;
    size_t count = pieces.front().bytes.size();
    if (bytes_per_s == 0) return count;
    const double seconds = std::chrono::duration<double>(Clock::now() - since).count();
    const auto budget = static_cast<int64_t>(seconds * static_cast<double>(bytes_per_s));
    return std::min(count, static_cast<size_t>(std::max<int64_t>(budget - passed_bytes, 0)));
  }
  void passed(size_t count) {
    passed_bytes += static_cast<int64_t>(count);
    held_bytes -= count;
    std::string& bytes = pieces.front().bytes;
    bytes.erase(0, count);
    if (bytes.empty()) pieces.pop_front();
  }
};

class Connection {
 public:
  Connection(int client, int server_port, const FaultScript& script, uint64_t seed)
      : script_(script), random_(seed), mixer_(script), client_(client) {
    set_up(client_);
    if (script_.refuses) {
      reset(client_);
      return;
    }
    server_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in place = on_this_machine(server_port);
    if (::connect(server_, reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) end();
    if (server_ >= 0) set_up(server_);
  }
  ~Connection() { end(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_over() const { return client_ < 0; }
  bool is_busy() const { return !requests_.pieces.empty() || !replies_.pieces.empty(); }

  void cut() {
    if (client_ >= 0) reset(client_);
    end();
  }

  void add_to(std::vector<pollfd>& waits) const {
    if (script_.hangs) return;
    if (requests_.held_bytes < kHeldBytesMax) waits.push_back({client_, POLLIN, 0});
    if (replies_.held_bytes < kHeldBytesMax) waits.push_back({server_, POLLIN, 0});
  }

  void step() {
    if (script_.hangs) return;
    take(client_, requests_, false);
    take(server_, replies_, true);
    pass_requests();
    pass_replies();
    const bool is_said = replies_.is_at_end && replies_.pieces.empty();
    if (is_said || requests_.is_at_end) end();
  }

 private:
  void end() {
    for (int* one : {&client_, &server_}) {
      if (*one >= 0) ::close(std::exchange(*one, -1));
    }
  }

  void take(int from, Flow& flow, bool is_reply) {
    char buffer[64 << 10];
    while (from >= 0 && flow.held_bytes < kHeldBytesMax) {
      const ssize_t count = ::recv(from, buffer, sizeof buffer, 0);
      if (count <= 0) {
        flow.is_at_end |= count == 0 || (errno != EAGAIN && errno != EINTR);
        return;
      }
      std::string bytes(buffer, static_cast<size_t>(count));
      if (is_reply) bytes = mixer_.mix(bytes);
      const bool is_delayed = is_reply ? script_.delays_replies : script_.delays_requests;
      const int64_t jitter = script_.jitter_ms > 0 ? random_.below(script_.jitter_ms + 1) : 0;
      const milliseconds delay(is_delayed ? script_.latency_ms + jitter : 0);
      if (!bytes.empty()) flow.add(std::move(bytes), delay);
    }
  }

  void pass_requests() {
    while (server_ >= 0) {
      size_t count = requests_.allowed(script_.bytes_per_s);
      if (script_.stop_requests_after >= 0) {
        const int64_t left = script_.stop_requests_after - requests_.passed_bytes;
        count = std::min(count, static_cast<size_t>(std::max<int64_t>(left, 0)));
      }
      if (count == 0 || !send(server_, requests_, count)) return;
    }
  }

  void pass_replies() {
    while (client_ >= 0) {
      if (replies_.passed_bytes == script_.reset_after) return cut();
      if (replies_.passed_bytes == script_.close_after) return end();
      if (replies_.passed_bytes == script_.stop_after) return;
      size_t count = replies_.allowed(script_.bytes_per_s);
      for (const int64_t mark : {script_.stop_after, script_.reset_after, script_.close_after,
                                 script_.corrupt_at, script_.corrupt_at + 1}) {
        const int64_t left = mark - replies_.passed_bytes;
        if (left > 0) count = std::min(count, static_cast<size_t>(left));
      }
      if (count == 0) return;
      const bool is_corrupt = replies_.passed_bytes == script_.corrupt_at;
      char& first = replies_.pieces.front().bytes.front();
      const char whole = first;
      if (is_corrupt) first = static_cast<char>(first ^ script_.corrupt_bits);
      if (send(client_, replies_, count)) continue;
      if (is_corrupt) first = whole;
      return;
    }
  }

  static bool send(int to, Flow& flow, size_t count) {
    const ssize_t sent = ::send(to, flow.pieces.front().bytes.data(), count, MSG_NOSIGNAL);
    if (sent < 0) {
      flow.is_at_end |= errno != EAGAIN && errno != EINTR;
      return false;
    }
    flow.passed(static_cast<size_t>(sent));
    return true;
  }

  FaultScript script_;
  Random random_;
  ReplyMixer mixer_;
  int client_;
  int server_ = -1;
  Flow requests_;
  Flow replies_;
};

}  // namespace

FaultScript random_fault(Random& random, int64_t bytes_max) {
  FaultScript script;
  const auto at = [&] {
    return random.below(3) == 0 ? random.below(bytes_max) : random.below(200);
  };
  switch (random.below(10)) {
    case 0:
      script.reset_after = at();
      break;
    case 1:
      script.close_after = at();
      break;
    case 2:
      script.stop_after = at();
      break;
    case 3:
      script.stop_requests_after = random.below(400);
      break;
    case 4:
      script.corrupt_at = at();
      break;
    case 5:
      script.duplicate_at = random.below(8);
      break;
    case 6:
      script.swap_at = random.below(8);
      break;
    case 7:
      script.refuses = true;
      break;
    case 8:
      script.hangs = true;
      break;
    default:
      script.bytes_per_s = 100'000 + random.below(4'000'000);
      break;
  }
  if (random.below(4) == 0) script.latency_ms = static_cast<int>(random.below(5));
  if (random.below(4) == 0) script.jitter_ms = static_cast<int>(random.below(5));
  script.corrupt_bits = static_cast<uint8_t>(1 << random.below(8));
  return script;
}

struct FaultProxy::State {
  void run();
  void accept_all();
  void step_all();

  int server_port = 0;
  uint64_t seed = 0;
  int listener = -1;
  int port = 0;
  std::atomic<bool> is_ending = false;
  std::atomic<bool> cuts_all = false;
  std::atomic<int64_t> connection_count = 0;
  std::mutex mutex;
  std::function<FaultScript(int64_t)> script_of;  // mutex
  std::list<Connection> connections;              // the thread's
  std::thread thread;
};

FaultProxy::FaultProxy(int server_port, uint64_t seed) : state_(std::make_unique<State>()) {
  state_->server_port = server_port;
  state_->seed = seed;
  set(FaultScript{});
  state_->listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in place = on_this_machine(0);
  socklen_t size = sizeof place;
  auto* address = reinterpret_cast<sockaddr*>(&place);
  KVASIR_CHECK(::bind(state_->listener, address, size) == 0 &&
                   ::listen(state_->listener, 64) == 0 &&
                   ::getsockname(state_->listener, address, &size) == 0,
               "a port for the proxy");
  state_->port = ntohs(place.sin_port);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

FaultProxy::~FaultProxy() {
  state_->is_ending = true;
  state_->thread.join();
  ::close(state_->listener);
}

int FaultProxy::port() const { return state_->port; }
int64_t FaultProxy::connections() const { return state_->connection_count; }
void FaultProxy::reset_all() { state_->cuts_all = true; }

void FaultProxy::set(const FaultScript& script) {
  set_each([script](int64_t) { return script; });
}

void FaultProxy::set_each(std::function<FaultScript(int64_t)> script_of) {
  const std::lock_guard lock(state_->mutex);
  state_->script_of = std::move(script_of);
}

void FaultProxy::State::run() {
  while (!is_ending) {
    std::vector<pollfd> waits{{listener, POLLIN, 0}};
    bool is_busy = false;
    for (const Connection& one : connections) {
      one.add_to(waits);
      is_busy |= one.is_busy();
    }
    ::poll(waits.data(), waits.size(), is_busy ? kStepMs : kIdleMs);
    accept_all();
    step_all();
  }
  connections.clear();
}

void FaultProxy::State::accept_all() {
  for (int client = 0; (client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    const int64_t number = connection_count++;
    FaultScript script;
    {
      const std::lock_guard lock(mutex);
      script = script_of(number);
    }
    connections.emplace_back(client, server_port, script, seed + static_cast<uint64_t>(number));
  }
}

void FaultProxy::State::step_all() {
  const bool cuts = cuts_all.exchange(false);
  for (Connection& one : connections) {
    if (cuts) one.cut();
    if (!one.is_over()) one.step();
  }
  connections.remove_if([](const Connection& one) { return one.is_over(); });
}

}  // namespace kvasir::testing
