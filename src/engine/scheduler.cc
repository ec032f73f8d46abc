#include "kvasir/scheduler.h"

#include <algorithm>
#include <utility>

#include "engine/scheduler_state.h"

namespace kvasir {
namespace {

Histogram seconds_histogram() {
  return make_histogram(
      {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800});
}

Histogram tokens_histogram() {
  return make_histogram({1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576});
}

}  // namespace

Scheduler::State::State(Engine& used, const ServiceOptions& given) : engine(used), options(given) {
  counts.first_token_seconds = counts.between_tokens_seconds = counts.queue_seconds =
      counts.prefill_seconds = counts.decode_seconds = counts.request_seconds = seconds_histogram();
  counts.prompt_token_counts = counts.generated_token_counts = tokens_histogram();
}

bool Scheduler::State::step() {
  is_stepping = true;
  for (const RequestId id : std::exchange(cancelled, {})) end_cancelled(id);
  expire();
  end_prefetches();
  admit();
  start_all();
  if (!run_pass()) wait_for_remote();
  advance();
  end_handovers();
  is_stepping = false;
  return !jobs.empty();
}

ServiceMetrics Scheduler::State::metrics() const {
  ServiceMetrics metrics = counts;
  metrics.running_requests =
      std::ranges::count_if(jobs, [](const auto& job) { return job->is_running(); });
  metrics.waiting_requests = waiting().requests;
  metrics.waiting_tokens = waiting().tokens;
  metrics.idle_sessions = kept.count();
  metrics.kv_bytes = engine.kv_bytes();
  return metrics;
}

Job* Scheduler::State::find(RequestId id) {
  const auto found = std::ranges::find_if(jobs, [&](const auto& job) { return job->id == id; });
  return found == jobs.end() ? nullptr : found->get();
}

double Scheduler::State::waited_ms(const Job& job) const {
  return std::chrono::duration<double, std::milli>(ServiceClock::now() - job.submitted_at).count();
}

Scheduler::Scheduler(Engine& engine, const ServiceOptions& options)
    : state_(std::make_unique<State>(engine, options)) {}
Scheduler::~Scheduler() = default;

Result<RequestId> Scheduler::submit(ServiceRequest request, ServiceSink sink) {
  return state_->submit(std::move(request), std::move(sink));
}
void Scheduler::cancel(RequestId id) { state_->cancel(id); }
bool Scheduler::step() { return state_->step(); }
ServiceMetrics Scheduler::metrics() const { return state_->metrics(); }

}  // namespace kvasir
