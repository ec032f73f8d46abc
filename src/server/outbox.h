// An Outbox is what waits to be sent to one client, and who wants to hear of that client. It is the
// part of an exchange that any thread may touch: one mutex guards it, nothing in it waits.
// Callbacks are called and destroyed unlocked, since they may hold the exchange.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_server.h"

namespace kvasir::server {

class Outbox {
 public:
  using Clock = std::chrono::steady_clock;
  struct Facts {  // of the request
    bool is_http_1_0 = false;
    bool is_head = false;
    bool keeps_alive = false;
  };
  enum class Fate : uint8_t { kOpen, kAbandoned, kCutOff, kClosed };
  struct Batch {
    std::string bytes;
    bool is_last = false;
    Fate fate = Fate::kOpen;
  };

  // `wake` makes the connection look here; it is called locked, so it may only post.
  Outbox(int64_t bytes_max, std::shared_ptr<const std::atomic<bool>> is_draining,
         std::function<void()> wake);

  // What HttpExchange promises.
  bool respond(const HttpResponse& response);
  bool begin(const HttpResponse& head);
  bool write(std::string_view bytes);
  void end();
  void on_gone(std::function<void()> gone);
  void on_silence(std::chrono::milliseconds period, std::function<void()> speak);
  void abandon();  // the exchange is dropped

  // For the connection, on its thread.
  void describe(const Facts& facts);
  void add_interim(std::string_view bytes);
  // Bytes only where the last ones are sent.
  Batch take(bool is_sending);
  void sent(size_t bytes);
  bool has_ended() const;
  bool keeps_alive() const;
  // Whom to call because nothing was sent for long; or null.
  std::function<void()> due_speaker(Clock::time_point now);
  // The connection is no more. Whoever wanted to know is told, unless the response was complete.
  void close();

 private:
  struct Callbacks {
    std::function<void()> gone;
    std::function<void()> speak;
  };

  bool begin_locked(const HttpResponse& head, std::optional<int64_t> body_bytes);
  void add_piece_locked(std::string_view bytes);
  Callbacks take_callbacks_locked();
  void wake_locked();

  const size_t bytes_max_;
  const std::shared_ptr<const std::atomic<bool>> is_draining_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  Facts facts_;
  std::string waiting_;
  size_t sending_bytes_ = 0;  // taken and not sent yet
  Fate fate_ = Fate::kOpen;
  bool is_woken_ = false;
  bool has_begun_ = false;
  bool has_ended_ = false;
  bool has_body_ = false;
  bool is_chunked_ = false;
  Callbacks callbacks_;
  std::chrono::milliseconds silence_period_{};
  Clock::time_point last_piece_;
};

// What a handler gets. It may outlive connection and server.
std::shared_ptr<HttpExchange> make_exchange(HttpRequest request, std::shared_ptr<Outbox> outbox);

}  // namespace kvasir::server
