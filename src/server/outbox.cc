#include "server/outbox.h"

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "server/http_text.h"

namespace kvasir::server {
namespace {

class Exchange final : public HttpExchange {
 public:
  Exchange(HttpRequest request, std::shared_ptr<Outbox> outbox)
      : request_(std::move(request)), outbox_(std::move(outbox)) {}
  ~Exchange() override { outbox_->abandon(); }

  const HttpRequest& request() const override { return request_; }
  std::string take_body() override { return std::exchange(request_.body, {}); }
  bool respond(HttpResponse response) override { return outbox_->respond(response); }
  bool begin(HttpResponse head) override { return outbox_->begin(head); }
  bool write(std::string_view bytes) override { return outbox_->write(bytes); }
  void end() override { outbox_->end(); }
  void on_gone(std::function<void()> gone) override { outbox_->on_gone(std::move(gone)); }
  void on_silence(std::chrono::milliseconds period, std::function<void()> speak) override {
    outbox_->on_silence(period, std::move(speak));
  }

 private:
  HttpRequest request_;
  const std::shared_ptr<Outbox> outbox_;
};

}  // namespace

std::shared_ptr<HttpExchange> make_exchange(HttpRequest request, std::shared_ptr<Outbox> outbox) {
  return std::make_shared<Exchange>(std::move(request), std::move(outbox));
}

Outbox::Outbox(int64_t bytes_max, std::shared_ptr<const std::atomic<bool>> is_draining,
               std::function<void()> wake)
    : bytes_max_(static_cast<size_t>(bytes_max)),
      is_draining_(std::move(is_draining)),
      wake_(std::move(wake)) {}

bool Outbox::respond(const HttpResponse& response) {
  Callbacks done;
  const std::lock_guard lock(mutex_);
  if (!begin_locked(response, static_cast<int64_t>(response.body.size()))) return false;
  if (has_body_) waiting_ += response.body;
  has_ended_ = true;
  done = take_callbacks_locked();
  wake_locked();
  return true;
}

bool Outbox::begin(const HttpResponse& head) {
  const std::lock_guard lock(mutex_);
  if (!begin_locked(head, std::nullopt)) return false;
  add_piece_locked(head.body);
  wake_locked();
  return true;
}

bool Outbox::begin_locked(const HttpResponse& head, std::optional<int64_t> body_bytes) {
  KVASIR_CHECK(!has_begun_, "a request is answered twice");
  has_begun_ = true;
  if (fate_ != Fate::kOpen) return false;
  const bool ends_with_connection = facts_.is_http_1_0 && !body_bytes;
  if (ends_with_connection || *is_draining_) facts_.keeps_alive = false;
  has_body_ = !facts_.is_head && status_has_body(head.status);
  is_chunked_ = has_body_ && !body_bytes && !facts_.is_http_1_0;
  waiting_ += response_head(head, {facts_.is_http_1_0, facts_.keeps_alive, body_bytes});
  last_piece_ = Clock::now();
  return true;
}

bool Outbox::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  KVASIR_CHECK(has_begun_, "a response is written before it has begun");
  if (fate_ != Fate::kOpen || has_ended_) return false;
  if (waiting_.size() + sending_bytes_ > bytes_max_) {
    fate_ = Fate::kCutOff;
    waiting_ = {};
  } else {
    add_piece_locked(bytes);
  }
  wake_locked();
  return fate_ == Fate::kOpen;
}

void Outbox::add_piece_locked(std::string_view bytes) {
  last_piece_ = Clock::now();
  if (bytes.empty() || !has_body_) return;
  if (!is_chunked_) {
    waiting_ += bytes;
    return;
  }
  char size[20];
  const int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  waiting_.append(size, static_cast<size_t>(length)).append(bytes).append("\r\n");
}

void Outbox::end() {
  Callbacks done;
  const std::lock_guard lock(mutex_);
  KVASIR_CHECK(has_begun_, "a response ends before it has begun");
  if (fate_ != Fate::kOpen || has_ended_) return;
  if (is_chunked_) waiting_ += "0\r\n\r\n";
  has_ended_ = true;
  done = take_callbacks_locked();
  wake_locked();
}

void Outbox::abandon() {
  Callbacks done;
  const std::lock_guard lock(mutex_);
  if (fate_ != Fate::kOpen || has_ended_) return;
  fate_ = Fate::kAbandoned;
  done = take_callbacks_locked();
  wake_locked();
}

void Outbox::on_gone(std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (has_ended_) return;
    if (fate_ != Fate::kClosed) {
      std::swap(callbacks_.gone, gone);
      return;
    }
  }
  gone();
}

void Outbox::on_silence(std::chrono::milliseconds period, std::function<void()> speak) {
  const std::lock_guard lock(mutex_);
  if (fate_ != Fate::kOpen || has_ended_) return;
  std::swap(callbacks_.speak, speak);
  silence_period_ = period;
  last_piece_ = Clock::now();
}

void Outbox::describe(const Facts& facts) {
  const std::lock_guard lock(mutex_);
  facts_ = facts;
}

void Outbox::add_interim(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  waiting_ += bytes;
  wake_locked();
}

Outbox::Batch Outbox::take(bool is_sending) {
  const std::lock_guard lock(mutex_);
  is_woken_ = false;
  if (is_sending) return {.fate = fate_};
  sending_bytes_ = waiting_.size();
  return {std::exchange(waiting_, {}), has_ended_, fate_};
}

void Outbox::sent(size_t bytes) {
  const std::lock_guard lock(mutex_);
  sending_bytes_ -= bytes;
}

bool Outbox::has_ended() const {
  const std::lock_guard lock(mutex_);
  return has_ended_;
}

bool Outbox::keeps_alive() const {
  const std::lock_guard lock(mutex_);
  return facts_.keeps_alive;
}

std::function<void()> Outbox::due_speaker(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const bool is_quiet = waiting_.empty() && sending_bytes_ == 0;
  if (!callbacks_.speak || !is_quiet || now - last_piece_ < silence_period_) return nullptr;
  last_piece_ = now;
  return callbacks_.speak;
}

void Outbox::close() {
  Callbacks told;
  {
    const std::lock_guard lock(mutex_);
    fate_ = Fate::kClosed;
    waiting_ = {};
    told = take_callbacks_locked();
  }
  if (told.gone) told.gone();
}

Outbox::Callbacks Outbox::take_callbacks_locked() { return std::exchange(callbacks_, {}); }

void Outbox::wake_locked() {
  if (!std::exchange(is_woken_, true)) wake_();
}

}  // namespace kvasir::server
