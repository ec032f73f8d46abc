#include "server/http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "base/check.h"
#include "server/http_text.h"
#include "server/listening_socket.h"
#include "server/outbox.h"
#include "server/request_reader.h"
#include "server/traffic.h"

namespace kvasir::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using Clock = Outbox::Clock;
using Stream = asio::generic::stream_protocol::socket;

constexpr size_t kReadBytes = 64 << 10;
constexpr int64_t kSmallBodyBytes = 64 << 10;  // are read without a slot
constexpr int kAcceptsAtOnce = 64;
constexpr int kSurplusConnectionsMax = 32;  // above the limit, to be told so
constexpr milliseconds kTick{100};
constexpr milliseconds kAcceptPause{100};
constexpr milliseconds kHalfClosedPatience{500};
constexpr milliseconds kLingerPatience{2000};

// Assignment would keep it.
void free_memory(std::string& text) { std::string().swap(text); }

// Of the blank lines that some clients put before a request.
size_t blank_line_bytes(std::string_view input) {
  size_t bytes = 0;
  while (input.substr(bytes).starts_with("\r\n")) bytes += 2;
  return bytes;
}

class Connection;
using Connections = std::vector<std::shared_ptr<Connection>>;

// What exchanges hold of a server, and may outlive it.
struct Core {
  asio::io_context io{1};
  std::atomic<bool> is_draining{false};
};

// What a server's connections share. All but `traffic` belongs to the server's thread.
struct Shared {
  Shared(const HttpOptions& given_options, HttpServer::Handlers given_handlers)
      : options(given_options), handlers(std::move(given_handlers)) {}

  void add(std::shared_ptr<Connection> one) {
    connections.insert(std::move(one));
    traffic.connections = std::ssize(connections);
  }
  void remove(const std::shared_ptr<Connection>& one) {
    connections.erase(one);
    traffic.connections = std::ssize(connections);
  }
  // They may close while somebody walks over them.
  Connections all() const { return {connections.begin(), connections.end()}; }

  const HttpOptions options;
  const HttpServer::Handlers handlers;
  const std::shared_ptr<Core> core = std::make_shared<Core>();
  Traffic traffic{options.bodies_at_once_max};
  std::array<char, kReadBytes> scratch;
  std::unordered_set<std::shared_ptr<Connection>> connections;
};

// A Connection reads one request after the other and sends what its outbox holds. It lives on the
// server's thread; pending operations keep it alive.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared& shared, Stream socket, std::string peer, int listener)
      : shared_(shared), socket_(std::move(socket)), peer_(std::move(peer)), listener_(listener) {}

  void start() {
    begin_request(options().header_patience);
    wait_readable();
  }

  void refuse(const HttpRefusal& refusal) {
    ++shared_.traffic.refused;
    const std::string path = reader_ ? reader_->request().path : "";
    refuse(shared_.handlers.error_body(refusal.status, refusal.why, path));
  }

  void close() {
    if (state_ == State::kClosed) return;
    const auto self = shared_from_this();
    give_slot_back();
    leave_exchange();
    state_ = State::kClosed;
    error_code ignored;
    socket_.close(ignored);
    shared_.remove(self);
    outbox_->close();
  }
  void close_if_idle() {
    if (state_ == State::kIdle) close();
  }

  void tick(Clock::time_point now) {
    switch (state_) {
      case State::kIdle:
      case State::kLingering:
        if (now >= deadline_) close();
        return;
      case State::kHead:
        if (now >= deadline_) refuse({408, "the head comes too slowly"});
        return;
      case State::kBody:
        if (now >= deadline_) end_window();
        return;
      case State::kAnswering:
        return tick_answer(now);
      case State::kInLine:
      case State::kClosed:
        return;
    }
  }

  // Whether somebody works for a client that might have left.
  bool is_watched() const {
    return state_ == State::kInLine || (state_ == State::kAnswering && !outbox_->has_ended());
  }
  int descriptor() { return socket_.native_handle(); }
  // A client that has shut down its sending side may still read, or may have left: TCP does not
  // tell. What is answered soon goes to both.
  void see_client(int events, Clock::time_point now) {
    if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) return close();
    const bool is_half_closed = (events & POLLRDHUP) != 0 && state_ == State::kAnswering;
    if (is_half_closed && !half_closed_at_) half_closed_at_ = now;
  }

 private:
  enum class State { kIdle, kHead, kBody, kInLine, kAnswering, kLingering, kClosed };

  const HttpOptions& options() const { return shared_.options; }

  // ---- reading ----

  void begin_request(milliseconds patience) {
    state_ = State::kIdle;
    deadline_ = Clock::now() + patience;
    reader_.emplace(options());
    wants_continue_ = false;
    half_closed_at_.reset();
    facts_ = {};
    const std::shared_ptr<Core>& core = shared_.core;
    outbox_ =
        std::make_shared<Outbox>(options().output_bytes_max,
                                 std::shared_ptr<const std::atomic<bool>>(core, &core->is_draining),
                                 [core, self = weak_from_this()] {
                                   asio::post(core->io, [self] {
                                     if (const auto connection = self.lock()) connection->flush();
                                   });
                                 });
  }

  void wait_readable() {
    if (std::exchange(is_waiting_readable_, true)) return;
    socket_.async_wait(Stream::wait_read, [self = shared_from_this()](error_code ec) {
      self->is_waiting_readable_ = false;
      if (!ec && self->state_ != State::kClosed) self->on_readable();
    });
  }

  void on_readable() {
    if (state_ == State::kAnswering) return;
    error_code ec;
    const size_t count = socket_.read_some(asio::buffer(shared_.scratch), ec);
    if (ec == asio::error::would_block) return wait_readable();
    if (ec) return close();
    if (state_ == State::kLingering) return wait_readable();
    input_.append(shared_.scratch.data(), count);
    window_bytes_ += static_cast<int64_t>(count);
    on_input();
  }

  void on_input() {
    if (state_ == State::kIdle) {
      input_.erase(0, blank_line_bytes(input_));
      if (input_.empty() || input_ == "\r") return wait_readable();
      state_ = State::kHead;
      deadline_ = Clock::now() + options().header_patience;
    }
    if (state_ == State::kHead) return read_head();
    if (state_ == State::kBody) return read_body();
  }

  void read_head() {
    const std::optional<HttpRefusal> refusal = reader_->read(input_);
    if (!refusal && !reader_->has_head()) return wait_readable();
    HttpRequest& request = reader_->request();
    facts_ = {.is_http_1_0 = reader_->is_http_1_0(),
              .is_head = request.method == "HEAD",
              .keeps_alive = !refusal && reader_->keeps_alive()};
    outbox_->describe(facts_);
    if (refusal) return refuse(*refusal);
    request.peer = peer_;
    request.listener = listener_;
    if (auto response = shared_.handlers.guard(request)) return refuse(*response);
    wants_continue_ = reader_->wants_continue();
    begin_body();
    read_body();
  }

  void begin_body() {
    state_ = State::kBody;
    begin_window();
  }

  void read_body() {
    if (const auto refusal = reader_->read(input_)) return refuse(*refusal);
    if (reader_->is_done()) return handle();
    if (reader_->body_bytes() > kSmallBodyBytes && !has_slot_) {
      has_slot_ = shared_.traffic.take_slot(this, [this] {
        has_slot_ = true;
        begin_body();
        read_on();
      });
      if (!has_slot_) {
        state_ = State::kInLine;
        return;
      }
    }
    read_on();
  }

  void read_on() {
    if (std::exchange(wants_continue_, false)) {
      outbox_->add_interim("HTTP/1.1 100 Continue\r\n\r\n");
    }
    wait_readable();
  }

  void give_slot_back() {
    if (state_ == State::kInLine) shared_.traffic.leave_line(this);
    if (std::exchange(has_slot_, false)) shared_.traffic.give_slot_back();
  }

  // Each stretch of a body's time has to bring its share.
  void begin_window() {
    deadline_ = Clock::now() + options().header_patience;
    window_bytes_ = 0;
  }
  void end_window() {
    const int64_t share =
        options().body_bytes_per_second_min * options().header_patience.count() / 1000;
    if (window_bytes_ < share) return refuse({408, "the body comes too slowly"});
    begin_window();
  }

  // ---- answering ----

  void refuse(const HttpResponse& response) {
    give_slot_back();
    is_refused_ = true;
    facts_.keeps_alive = false;
    outbox_->describe(facts_);
    state_ = State::kAnswering;
    outbox_->respond(response);
  }

  void handle() {
    give_slot_back();
    if (input_.empty()) free_memory(input_);
    state_ = State::kAnswering;
    is_counted_ = true;
    shared_.traffic.begin_exchange();
    auto exchange = make_exchange(std::move(reader_->request()), outbox_);
    reader_.reset();
    shared_.handlers.handle(std::move(exchange));
  }

  void flush() {
    if (state_ == State::kClosed) return;
    Outbox::Batch batch = outbox_->take(is_sending_);
    if (batch.fate == Outbox::Fate::kCutOff) ++shared_.traffic.cut_off;
    if (batch.fate != Outbox::Fate::kOpen) return close();
    if (is_sending_) return;
    if (!batch.bytes.empty()) {
      sending_ = std::move(batch.bytes);
      sent_bytes_ = 0;
      send();
    } else if (batch.is_last && state_ == State::kAnswering) {
      finish_response();
    }
  }

  void send() {
    is_sending_ = true;
    if (state_ == State::kAnswering) deadline_ = Clock::now() + options().idle_patience;
    socket_.async_write_some(
        asio::const_buffer(sending_.data() + sent_bytes_, sending_.size() - sent_bytes_),
        [self = shared_from_this()](error_code ec, size_t bytes) { self->on_sent(ec, bytes); });
  }

  void on_sent(error_code ec, size_t bytes) {
    is_sending_ = false;
    if (state_ == State::kClosed) return;
    if (ec) return close();
    outbox_->sent(bytes);
    sent_bytes_ += bytes;
    if (sent_bytes_ < sending_.size()) return send();
    free_memory(sending_);
    flush();
  }

  void tick_answer(Clock::time_point now) {
    if (outbox_->has_ended()) {
      if (is_sending_ && now >= deadline_) close();
    } else if (half_closed_at_ && now - *half_closed_at_ >= kHalfClosedPatience) {
      close();
    } else if (const auto speak = outbox_->due_speaker(now)) {
      speak();
    }
  }

  void finish_response() {
    leave_exchange();
    if (!outbox_->keeps_alive() || shared_.core->is_draining) return hang_up();
    begin_request(options().idle_patience);
    on_input();
  }
  void leave_exchange() {
    if (std::exchange(is_counted_, false)) shared_.traffic.end_exchange();
  }

  // A client that still sends would not see its answer if the connection were closed under it.
  void hang_up() {
    error_code ec;
    const bool all_is_read = input_.empty() && socket_.available(ec) == 0;
    if (all_is_read && !is_refused_) return close();
    socket_.shutdown(Stream::shutdown_send, ec);
    state_ = State::kLingering;
    free_memory(input_);
    deadline_ = Clock::now() + kLingerPatience;
    wait_readable();
  }

  Shared& shared_;
  Stream socket_;
  const std::string peer_;
  const int listener_;
  State state_ = State::kIdle;
  Clock::time_point deadline_;
  std::string input_;  // not parsed yet
  bool is_waiting_readable_ = false;
  std::optional<RequestReader> reader_;
  int64_t window_bytes_ = 0;  // of a body, since the deadline was set
  bool wants_continue_ = false;
  bool has_slot_ = false;
  bool is_refused_ = false;
  bool is_counted_ = false;  // as an exchange
  Outbox::Facts facts_;
  std::shared_ptr<Outbox> outbox_;
  std::string sending_;
  size_t sent_bytes_ = 0;
  bool is_sending_ = false;
  std::optional<Clock::time_point> half_closed_at_;
};

// An Acceptor is a listening socket and what waits for its clients.
struct Acceptor {
  Acceptor(ListeningSocket listening, int position, asio::io_context& io)
      : socket(std::move(listening)), index(position), watch(io), pause(io) {}
  ~Acceptor() { close(); }

  void close() {
    if (watch.is_open()) watch.release();
    pause.cancel();
    socket.reset();
  }

  std::optional<ListeningSocket> socket;
  const int index;
  asio::posix::stream_descriptor watch;  // the socket owns the descriptor
  asio::steady_timer pause;
};

// A Server owns the thread; all but the public functions run on it.
class Server final : public HttpServer {
 public:
  Server(const HttpOptions& options, Handlers handlers, std::vector<ListeningSocket> sockets)
      : shared_(options, std::move(handlers)) {
    for (ListeningSocket& socket : sockets) {
      addresses_.push_back(socket.address());
      acceptors_.emplace_back(std::move(socket), static_cast<int>(acceptors_.size()), io());
    }
  }
  ~Server() override { stop(milliseconds(0)); }

  void run() {
    for (Acceptor& acceptor : acceptors_) {
      acceptor.watch.assign(acceptor.socket->descriptor());
      await_clients(acceptor);
    }
    thread_ = std::thread([this] { io().run(); });
    thread_id_ = thread_.get_id();
  }

  std::vector<std::string> addresses() const override { return addresses_; }
  HttpCounts counts() const override { return shared_.traffic.counts(); }

  void stop_accepting() override {
    shared_.core->is_draining = true;
    asio::post(io(), [this] {
      for (Acceptor& acceptor : acceptors_) acceptor.close();
      for (const auto& connection : shared_.all()) connection->close_if_idle();
    });
  }

  void stop(milliseconds patience) override {
    KVASIR_CHECK(std::this_thread::get_id() != thread_id_, "a handler stops its server");
    stop_accepting();
    shared_.traffic.wait_for_last_exchange(patience);
    asio::post(io(), [this] {
      for (const auto& connection : shared_.all()) connection->close();
      ticker_.cancel();
      work_.reset();
    });
    const std::lock_guard lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  asio::io_context& io() { return shared_.core->io; }

  void await_clients(Acceptor& acceptor) {
    acceptor.watch.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [this, &acceptor](error_code ec) { ec ? void() : take_clients(acceptor); });
  }

  void take_clients(Acceptor& acceptor) {
    for (int i = 0; i < kAcceptsAtOnce && acceptor.socket; ++i) {
      ListeningSocket::Client client = acceptor.socket->accept();
      if (client.descriptor >= 0) {
        adopt(std::move(client), acceptor);
      } else if (client.error_number == EAGAIN) {
        break;
      } else if (client.error_number != ECONNABORTED && client.error_number != EINTR) {
        return pause(acceptor);
      }
    }
    if (acceptor.socket) await_clients(acceptor);
  }

  // No descriptors or no memory: clients wait a little, and nothing spins.
  void pause(Acceptor& acceptor) {
    acceptor.pause.expires_after(kAcceptPause);
    acceptor.pause.async_wait([this, &acceptor](error_code ec) {
      if (!ec && acceptor.socket) take_clients(acceptor);
    });
  }

  void adopt(ListeningSocket::Client client, const Acceptor& acceptor) {
    ++shared_.traffic.accepted;
    const int64_t surplus = std::ssize(shared_.connections) - shared_.options.connections_max;
    error_code ec = asio::error::no_descriptors;
    Stream socket(io());
    if (surplus < kSurplusConnectionsMax) {
      const int family = acceptor.socket->is_unix() ? AF_UNIX : AF_INET;
      socket.assign(asio::generic::stream_protocol(family, 0), client.descriptor, ec);
    }
    if (ec) {
      ::close(client.descriptor);
      ++shared_.traffic.refused;
      return;
    }
    socket.non_blocking(true, ec);
    const auto connection = std::make_shared<Connection>(shared_, std::move(socket),
                                                         std::move(client.peer), acceptor.index);
    shared_.add(connection);
    connection->start();
    if (surplus >= 0) connection->refuse({503, "too many connections"});
    start_ticking();
  }

  void start_ticking() {
    if (std::exchange(is_ticking_, true)) return;
    ticker_.expires_after(kTick);
    ticker_.async_wait([this](error_code ec) {
      is_ticking_ = false;
      if (!ec) tick();
    });
  }

  void tick() {
    const Clock::time_point now = Clock::now();
    const Connections all = shared_.all();
    watch_clients(all, now);
    for (const auto& connection : all) connection->tick(now);
    if (!shared_.connections.empty()) start_ticking();
  }

  static void watch_clients(const Connections& all, Clock::time_point now) {
    std::vector<pollfd> polled;
    std::vector<Connection*> watched;
    for (const auto& connection : all) {
      if (!connection->is_watched()) continue;
      watched.push_back(connection.get());
      polled.push_back({.fd = connection->descriptor(), .events = POLLRDHUP, .revents = 0});
    }
    if (::poll(polled.data(), polled.size(), 0) <= 0) return;
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0) watched[i]->see_client(polled[i].revents, now);
    }
  }

  Shared shared_;
  std::vector<std::string> addresses_;
  std::deque<Acceptor> acceptors_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io().get_executor()};
  asio::steady_timer ticker_{io()};
  bool is_ticking_ = false;
  std::mutex join_mutex_;
  std::thread thread_;
  std::thread::id thread_id_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options,
                                                      Handlers handlers) {
  KVASIR_CHECK(handlers.guard && handlers.handle && handlers.error_body, "a handler is missing");
  std::vector<ListeningSocket> sockets;
  for (const HttpListener& place : options.listeners) {
    KVASIR_ASSIGN_OR_RETURN(ListeningSocket socket, ListeningSocket::open(place));
    sockets.push_back(std::move(socket));
  }
  try {
    auto server = std::make_unique<Server>(options, std::move(handlers), std::move(sockets));
    server->run();
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& failure) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "the server's thread and event loop cannot be made",
                 .found = failure.what(),
                 .remedy = "raise the limits on open files and threads"};
  }
}

}  // namespace kvasir::server
