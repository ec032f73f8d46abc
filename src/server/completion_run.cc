#include "server/completion_run.h"

#include <utility>

#include "base/check.h"
#include "server/error_response.h"

namespace kvasir::server {
namespace {

// Whoever tolerates it is told how its prompt gets on, so often at most.
constexpr double kProgressPeriodMs = 1000;

using Kind = ServiceEvent::Kind;

const char* outcome_of(ApiErrorKind kind) {
  switch (kind) {
    case ApiErrorKind::kBusy:
      return "busy";
    case ApiErrorKind::kTimeout:
      return "timeout";
    case ApiErrorKind::kServer:
      return "failed";
    case ApiErrorKind::kUnavailable:
      return "unavailable";
    default:
      return "invalid_request";
  }
}

HttpHeaders stream_headers(HttpHeaders headers) {
  headers.emplace_back("content-type", "text/event-stream");
  headers.emplace_back("cache-control", "no-cache");
  headers.emplace_back("x-accel-buffering", "no");
  return headers;
}

HttpHeaders json_headers(HttpHeaders headers) {
  headers.emplace_back("content-type", "application/json");
  return headers;
}

void add(ServiceUsage& sum, const ServiceUsage& part) {
  sum.prompt_tokens += part.prompt_tokens;
  sum.reused_ram_tokens += part.reused_ram_tokens;
  sum.reused_disk_tokens += part.reused_disk_tokens;
  sum.reused_remote_tokens += part.reused_remote_tokens;
  sum.computed_tokens += part.computed_tokens;
  sum.generated_tokens += part.generated_tokens;
  sum.reasoning_tokens += part.reasoning_tokens;
}

}  // namespace

CompletionRun::CompletionRun(CompletionOrder order)
    : order_(std::move(order)),
      reply_(order_.dialect->reply(order_.call, order_.facts)),
      usages_(order_.requests.size()),
      done_tokens_(order_.requests.size()) {
  if (order_.call.wants_proof) {
    again_ = order_.requests.front();
    again_->reuses = false;
  }
  // They can be large, and nobody looks at them again.
  order_.call.messages = {};
  order_.call.prompts = {};
  order_.call.form = {};
}

void CompletionRun::start(CompletionOrder order) {
  std::make_shared<CompletionRun>(std::move(order))->begin();
}

void CompletionRun::begin() {
  if (!submit_all()) return;
  // Not under the mutex: a client that is gone already is told of at once.
  const std::weak_ptr<CompletionRun> weak = weak_from_this();
  order_.exchange->on_gone([weak] {
    if (const auto self = weak.lock()) self->on_gone();
  });
  order_.exchange->on_silence(order_.heartbeat_period, [weak] {
    if (const auto self = weak.lock()) self->on_silence();
  });
}

// Events that come at once wait until the head is sent.
bool CompletionRun::submit_all() {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < order_.requests.size(); ++i) {
    const auto sink = [self = shared_from_this(), i](const ServiceEvent& event) {
      self->on_event(i, event);
    };
    Result<RequestId> id = order_.service->submit(std::move(order_.requests[i]), sink);
    if (!id.ok()) {
      fail(api_error(id.error()));
      return false;
    }
    ids_.push_back(*id);
  }
  if (order_.call.streams) send(reply_->begin());
  return !is_over_;
}

void CompletionRun::on_event(size_t prompt, const ServiceEvent& event) {
  const std::lock_guard lock(mutex_);
  if (!is_over_) take(prompt, event);
}

void CompletionRun::take(size_t prompt, const ServiceEvent& event) {
  if (event.usage.prompt_tokens > 0) usages_[prompt] = event.usage;
  const int64_t first = static_cast<int64_t>(prompt) * order_.call.answer_count;
  switch (event.kind) {
    case Kind::kWaiting:
      queue_place_ = event.queue_place;
      return;
    case Kind::kPrefill:
      queue_place_ = 0;
      done_tokens_[prompt] = event.done_tokens;
      if (order_.call.streams && since_sent_.elapsed_ms() > kProgressPeriodMs) {
        send(reply_->heartbeat(progress()));
      }
      return;
    case Kind::kStarted:
      done_tokens_[prompt] = event.done_tokens;
      if (event.error) order_.entry.note = event.error->message();
      if (order_.entry.first_token_ms == 0) order_.entry.first_token_ms = watch_.elapsed_ms();
      return send(reply_->event(first, event));
    case Kind::kEnded:
      order_.entry.outcome = name_of(event.stop_reason);
      [[fallthrough]];
    case Kind::kPiece:
      record(prompt, event);
      return send(reply_->event(first + event.answer, event));
    case Kind::kDone:
      if (++done_count_ < usages_.size()) return;
      return again_ ? compute_again() : finish();
    case Kind::kFailed:
      return fail(api_error(*event.error));
  }
}

// Before the client can have sent it back. A book whose file is full still knows the turn.
void CompletionRun::record(size_t prompt, const ServiceEvent& event) {
  const bool is_first = prompt == 0 && event.answer == 0;
  if (is_first && event.kind == Kind::kEnded) {
    if (order_.on_said) order_.on_said(event.ids);
    logits_digest_ = event.logits_digest;
  }
  if (order_.recorders.empty()) return;
  const Status recorded = order_.recorders[prompt].take(event);
  if (!recorded.ok()) order_.entry.note = recorded.error().message();
}

void CompletionRun::compute_again() {
  const auto sink = [self = shared_from_this()](const ServiceEvent& event) {
    const std::lock_guard lock(self->mutex_);
    if (!self->is_over_) self->on_proof(event);
  };
  Result<RequestId> id = order_.service->submit(*std::exchange(again_, std::nullopt), sink);
  if (!id.ok()) return go_without_proof(id.error());
  ids_.push_back(*id);
}

// The client has its answer.
void CompletionRun::go_without_proof(const Error& error) {
  proof_ = {.failure = error.message()};
  finish();
}

void CompletionRun::on_proof(const ServiceEvent& event) {
  if (event.kind == Kind::kEnded) {
    proof_ = {.has_same_bits = event.logits_digest == logits_digest_,
              .steps = std::ssize(event.ids),
              .reused_tokens = usage().reused_tokens(),
              .digest = logits_digest_};
  }
  if (event.kind == Kind::kDone) finish();
  if (event.kind == Kind::kFailed) go_without_proof(*event.error);
}

void CompletionRun::finish() {
  ReplyEnd end(usage());
  end.proof = proof_;
  std::string last = reply_->finish(end);
  if (order_.call.streams || has_begun_) {
    send(std::move(last));
    order_.exchange->end();
  } else {
    order_.exchange->respond({.headers = json_headers(order_.headers), .body = std::move(last)});
  }
  leave(order_.entry.outcome);
}

void CompletionRun::fail(const ApiError& error) {
  cancel_all();
  if (has_begun_) {
    send(order_.call.streams ? reply_->fail(error)
                             : order_.dialect->error_body(error, order_.entry.request_id));
    order_.exchange->end();
  } else {
    order_.entry.status = status_of(error.kind);
    order_.exchange->respond(
        error_response(*order_.dialect, error, order_.entry.request_id, order_.headers));
  }
  leave(outcome_of(error.kind));
}

void CompletionRun::on_gone() {
  const std::lock_guard lock(mutex_);
  if (is_over_) return;
  cancel_all();
  leave("gone");
}

// A whole reply is kept alive by blank lines before its JSON; the price is its status line.
void CompletionRun::on_silence() {
  const std::lock_guard lock(mutex_);
  if (is_over_) return;
  send(order_.call.streams ? reply_->heartbeat(progress()) : "\n");
}

void CompletionRun::send(std::string bytes) {
  if (bytes.empty()) return;
  since_sent_ = Stopwatch();
  bool is_there = true;
  if (has_begun_) {
    is_there = order_.exchange->write(bytes);
  } else {
    has_begun_ = true;
    is_there =
        order_.exchange->begin({.headers = order_.call.streams ? stream_headers(order_.headers)
                                                               : json_headers(order_.headers),
                                .body = std::move(bytes)});
  }
  if (!is_there && !is_over_) {
    cancel_all();
    leave("gone");
  }
}

void CompletionRun::cancel_all() {
  for (const RequestId id : ids_) order_.service->cancel(id);
}

void CompletionRun::leave(std::string outcome) {
  if (std::exchange(is_over_, true)) return;
  AccessEntry& entry = order_.entry;
  const ServiceUsage usage = this->usage();
  entry.ms = watch_.elapsed_ms();
  entry.prompt_tokens = usage.prompt_tokens;
  entry.reused_ram_tokens = usage.reused_ram_tokens;
  entry.reused_disk_tokens = usage.reused_disk_tokens;
  entry.reused_remote_tokens = usage.reused_remote_tokens;
  entry.generated_tokens = usage.generated_tokens;
  entry.queue_ms = usages_.front().queue_ms;
  entry.outcome = std::move(outcome);
  if (order_.facts.comparison && usage.prompt_tokens > 0) {
    entry.reuse = words_of(reuse_report(*order_.facts.comparison, usage));
  }
  order_.on_over(entry);
}

ServiceUsage CompletionRun::usage() const {
  ServiceUsage sum;
  for (const ServiceUsage& one : usages_) add(sum, one);
  return sum;
}

ReplyProgress CompletionRun::progress() const {
  ReplyProgress progress{.queue_place = queue_place_, .elapsed_ms = watch_.elapsed_ms()};
  for (size_t i = 0; i < usages_.size(); ++i) {
    progress.done_tokens += done_tokens_[i];
    progress.total_tokens += order_.facts.prompt_tokens[i];
    progress.reused_tokens += usages_[i].reused_tokens();
  }
  return progress;
}

}  // namespace kvasir::server
