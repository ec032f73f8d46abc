#include "kvasir/service.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/queue_bound.h"

namespace kvasir {

// The thread owns the scheduler; others leave what they want in the inbox.
struct Service::State {
  State(Engine given, const ServiceOptions& wanted)
      : engine(std::move(given)), options(wanted), scheduler(engine, options) {
    publish();
    thread = std::thread([this] { run(); });
  }

  struct Submission {
    RequestId id;
    ServiceRequest request;
    ServiceSink sink;
  };

  Result<RequestId> submit(ServiceRequest request, ServiceSink sink);
  void cancel(RequestId id);
  Status drain(std::chrono::milliseconds patience);

  // Under mutex:
  Waiting waiting() const {
    return {metrics.waiting_requests + added.requests, metrics.waiting_tokens + added.tokens};
  }
  Status check_queue(const ServiceRequest& request) const;

  void run();
  // Waits for something to do. False: it is to end.
  bool wait(bool is_busy);
  void take_inbox();
  void begin(Submission submission);
  void cancel_all();
  void publish();
  void on_event(RequestId id, const ServiceSink& sink, const ServiceEvent& event);

  Engine engine;
  const ServiceOptions options;
  Scheduler scheduler;                           // the thread's
  std::map<RequestId, RequestId> scheduler_ids;  // the thread's; of requests that have not ended

  mutable std::mutex mutex;
  std::condition_variable changed;  // for the thread
  std::condition_variable became_idle;
  std::vector<Submission> submissions;
  std::vector<RequestId> cancellations;
  RequestId newest_id = 0;
  Waiting added;  // submitted, and not among those that `metrics` counts yet
  int64_t refused = 0;
  int64_t open_requests = 0;  // submitted, and not ended
  bool is_draining = false;
  bool cancels_all = false;
  bool ends = false;
  ServiceMetrics metrics;  // of after the last pass
  StoreMetrics store_metrics;
  std::mutex end_mutex;  // the thread is joined once, and the engine is one caller's then
  std::thread thread;
};

Status Service::State::check_queue(const ServiceRequest& request) const {
  if (!is_draining) return check_queue_bound(options, waiting(), std::ssize(request.prompt));
  return Error{.kind = ErrorKind::kBusy,
               .what = "the server is going down",
               .found = waiting().text(),
               .remedy = "try again later"};
}

Result<RequestId> Service::State::submit(ServiceRequest request, ServiceSink sink) {
  KVASIR_RETURN_IF_ERROR(check_request(engine, request));
  const std::lock_guard lock(mutex);
  if (Status room = check_queue(request); !room.ok()) {
    ++refused;
    return std::move(room).error();
  }
  ++open_requests;
  ++added.requests;
  added.tokens += std::ssize(request.prompt);
  submissions.push_back({++newest_id, std::move(request), std::move(sink)});
  changed.notify_one();
  return newest_id;
}

void Service::State::cancel(RequestId id) {
  const std::lock_guard lock(mutex);
  cancellations.push_back(id);
  changed.notify_one();
}

void Service::State::run() {
  bool is_busy = false;
  while (wait(is_busy)) {
    take_inbox();
    is_busy = scheduler.step();
    publish();
  }
}

bool Service::State::wait(bool is_busy) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] {
    return is_busy || ends || cancels_all || !submissions.empty() || !cancellations.empty();
  });
  return !ends || is_busy;
}

void Service::State::take_inbox() {
  std::vector<Submission> submitted;
  std::vector<RequestId> cancelled;
  bool is_last = false;
  {
    const std::lock_guard lock(mutex);
    submitted.swap(submissions);
    cancelled.swap(cancellations);
    is_last = std::exchange(cancels_all, false);
  }
  for (Submission& submission : submitted) begin(std::move(submission));
  for (const RequestId id : cancelled) {
    const auto found = scheduler_ids.find(id);
    if (found != scheduler_ids.end()) scheduler.cancel(found->second);
  }
  if (is_last) cancel_all();
}

void Service::State::begin(Submission submission) {
  const RequestId id = submission.id;
  auto sink = [this, id, sink = std::move(submission.sink)](const ServiceEvent& event) {
    on_event(id, sink, event);
  };
  Result<RequestId> taken = scheduler.submit(std::move(submission.request), sink);
  if (taken.ok()) {
    scheduler_ids[id] = *taken;
  } else {
    sink({.kind = ServiceEvent::Kind::kFailed, .error = std::move(taken).error()});
  }
}

void Service::State::cancel_all() {
  const auto all = scheduler_ids;
  for (const auto& [id, scheduler_id] : all) scheduler.cancel(scheduler_id);
}

void Service::State::on_event(RequestId id, const ServiceSink& sink, const ServiceEvent& event) {
  const bool is_last =
      event.kind == ServiceEvent::Kind::kDone || event.kind == ServiceEvent::Kind::kFailed;
  const bool has_left_queue =
      event.kind == ServiceEvent::Kind::kPrefill || event.kind == ServiceEvent::Kind::kStarted;
  // Whoever hears of either finds it counted, and a place in the queue free again.
  if (has_left_queue || is_last) publish();
  if (sink) sink(event);
  if (!is_last) return;
  scheduler_ids.erase(id);
  const std::lock_guard lock(mutex);
  if (--open_requests == 0) became_idle.notify_all();
}

void Service::State::publish() {
  ServiceMetrics now = scheduler.metrics();
  StoreMetrics of_store = engine.store_metrics();
  const std::lock_guard lock(mutex);
  metrics = std::move(now);
  store_metrics = of_store;
  added = {.requests = std::ssize(submissions)};
  for (const Submission& one : submissions) added.tokens += std::ssize(one.request.prompt);
}

Status Service::State::drain(std::chrono::milliseconds patience) {
  {
    std::unique_lock lock(mutex);
    is_draining = true;
    const auto is_idle = [&] { return open_requests == 0; };
    // Longer ones do not fit into the clock.
    const auto bounded = std::min<std::chrono::milliseconds>(patience, std::chrono::hours(24));
    if (!became_idle.wait_for(lock, bounded, is_idle)) {
      cancels_all = true;
      changed.notify_one();
      became_idle.wait(lock, is_idle);
    }
    ends = true;
    changed.notify_one();
  }
  const std::lock_guard lock(end_mutex);
  // Whoever comes later finds all saved, and does not wait for the remote tier once more.
  if (!thread.joinable()) return ok_status();
  thread.join();
  return engine.flush_store();
}

Service::Service(Engine engine, const ServiceOptions& options)
    : state_(std::make_unique<State>(std::move(engine), options)) {}

Service::~Service() { (void)state_->drain(std::chrono::milliseconds(0)); }

Engine& Service::engine() { return state_->engine; }

Result<RequestId> Service::submit(ServiceRequest request, ServiceSink sink) {
  return state_->submit(std::move(request), std::move(sink));
}

void Service::cancel(RequestId id) { state_->cancel(id); }

bool Service::is_full() const {
  const std::lock_guard lock(state_->mutex);
  const ServiceOptions& options = state_->options;
  const Waiting waiting = state_->waiting();
  return state_->is_draining || waiting.requests >= options.queued_requests_max ||
         waiting.tokens >= options.queued_tokens_max;
}

ServiceMetrics Service::metrics() const {
  const std::lock_guard lock(state_->mutex);
  ServiceMetrics metrics = state_->metrics;
  metrics.refused += state_->refused;
  metrics.waiting_requests = state_->waiting().requests;
  metrics.waiting_tokens = state_->waiting().tokens;
  return metrics;
}

StoreMetrics Service::store_metrics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->store_metrics;
}

Status Service::drain(std::chrono::milliseconds patience) { return state_->drain(patience); }

}  // namespace kvasir
