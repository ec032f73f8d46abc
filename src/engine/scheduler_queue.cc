// What waits, what may begin, and what is refused.
#include <algorithm>
#include <utility>

#include "engine/scheduler_state.h"

namespace kvasir {
namespace {

constexpr int kAnswerCountMax = 64;
// What an answer is expected to take where it may take more: a limit is rarely reached.
constexpr int64_t kExpectedAnswerTokens = 1024;
// Who has waited so long is not overtaken any more by those that fit before it does.
constexpr double kPatienceMs = 60'000;

Error bad_request(const char* what, const char* field) {
  return Error{.kind = ErrorKind::kUsage, .what = what, .field = field};
}

}  // namespace

Status check_request(Engine& engine, const ServiceRequest& request) {
  if (request.prompt.empty()) return bad_request("a request without tokens", "prompt");
  KVASIR_RETURN_IF_ERROR(engine.check_tokens(request.prompt));
  if (request.answer_count < 1 || request.answer_count > kAnswerCountMax) {
    return bad_request("answer count out of range", "answer_count");
  }
  for (const LogitBias& bias : request.options.sampling.logit_bias) {
    KVASIR_RETURN_IF_ERROR(engine.check_tokens({&bias.id, 1}));
  }
  // Whatever would keep an answer from beginning is known before its prompt is computed.
  if (auto answer = Generation::create(engine, request.options, request.reply); !answer.ok()) {
    return std::move(answer).error();
  }
  return engine.check_ram(std::ssize(request.prompt) + 1);
}

Waiting Scheduler::State::waiting() const {
  Waiting waiting;
  for (const auto& job : jobs) {
    if (job->phase != Job::Phase::kQueued) continue;
    ++waiting.requests;
    waiting.tokens += std::ssize(job->request.prompt);
  }
  return waiting;
}

Result<RequestId> Scheduler::State::submit(ServiceRequest request, ServiceSink sink) {
  KVASIR_RETURN_IF_ERROR(check_request(engine, request));
  const int64_t prompt_tokens = std::ssize(request.prompt);
  if (Status room = check_queue_bound(options, waiting(), prompt_tokens); !room.ok()) {
    ++counts.refused;
    return std::move(room).error();
  }
  auto job = std::make_unique<Job>();
  job->id = ++newest_id;
  job->request = std::move(request);
  job->sink = std::move(sink);
  job->submitted_at = ServiceClock::now();
  job->usage.prompt_tokens = prompt_tokens;
  job->reusable_tokens = engine.resumable_tokens(job->request.prompt, {.salt = job->request.salt});
  if (!job->is_apart()) {
    job->fetch = engine.state().begin_fetch(job->request.prompt, {.salt = job->request.salt});
  }
  jobs.push_back(std::move(job));
  return newest_id;
}

// A sink may cancel any request, also the one that is told of: nothing of it goes under the feet of
// the step that tells it.
void Scheduler::State::cancel(RequestId id) {
  if (is_stepping) {
    cancelled.push_back(id);
  } else {
    end_cancelled(id);
  }
}

void Scheduler::State::end_cancelled(RequestId id) {
  Job* job = find(id);
  if (job == nullptr || job->phase == Job::Phase::kOver) return;
  if (job->phase == Job::Phase::kHandover) return end_handover(*job);
  fail(*job, {.kind = ErrorKind::kInterrupted, .what = "the request was cancelled"});
}

void Scheduler::State::expire() {
  const auto now = ServiceClock::now();
  for (const auto& job : jobs) {
    if (job->phase >= Job::Phase::kHandover || job->request.deadline.value_or(now) >= now) continue;
    fail(*job, {.kind = ErrorKind::kInterrupted, .what = "the request's time is over"});
  }
}

// They were begun when they came; the tier goes on with them.
void Scheduler::State::end_prefetches() {
  for (const auto& job : jobs) {
    if (job->request.only_prefetches && job->phase == Job::Phase::kQueued) {
      leave(*job, {.kind = ServiceEvent::Kind::kDone, .usage = job->usage});
    }
  }
}

void Scheduler::State::admit() {
  while (Job* job = next_queued()) {
    job->phase = Job::Phase::kStarting;
    job->began_at = ServiceClock::now();
    job->usage.queue_ms = waited_ms(*job);
  }
  tell_places();
}

Job* Scheduler::State::next_queued() {
  const auto running =
      std::ranges::count_if(jobs, [](const auto& job) { return job->is_running(); });
  if (running >= std::max(options.running_max, int64_t{1})) return nullptr;
  for (Job* job : queue_in_order()) {
    // Those behind it in the queue are no more urgent.
    if (job->request.priority < 0 && running > 0) return nullptr;
    if (running == 0 || has_room_for(*job)) return job;
    if (waited_ms(*job) > kPatienceMs) return nullptr;
  }
  return nullptr;
}

// Higher priority first, then less work; whoever waits counts as having done what could have been
// computed meanwhile.
std::vector<Job*> Scheduler::State::queue_in_order() const {
  struct Place {
    int priority;
    double work;
    Job* job;
  };
  std::vector<Place> places;
  for (const auto& job : jobs) {
    if (job->phase != Job::Phase::kQueued) continue;
    const int64_t left = std::ssize(job->request.prompt) - job->reusable_tokens;
    places.push_back(
        {.priority = job->request.priority,
         .work = static_cast<double>(left) - waited_ms(*job) * pace.prefill_tokens_per_ms(),
         .job = job.get()});
  }
  std::ranges::stable_sort(places, [](const Place& a, const Place& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.work < b.work;
  });
  std::vector<Job*> queued;
  queued.reserve(places.size());
  for (const Place& place : places) queued.push_back(place.job);
  return queued;
}

int64_t Scheduler::State::tokens_at_most(const Job& job) const {
  const int64_t answer = std::min(job.request.options.tokens_max, kExpectedAnswerTokens);
  int64_t tokens = std::ssize(job.request.prompt) + answer * job.request.answer_count;
  for (const Answer& one : job.answers) {
    tokens += std::max<int64_t>(0, std::ssize(one.generation.tokens()) - answer);
  }
  return tokens;
}

// Each answer has a session, with a block that is not full.
int64_t Scheduler::State::cache_bytes(const Job& job) const {
  const ModelInfo& info = engine.info();
  return tokens_at_most(job) / info.kv_block_tokens * info.kv_block_bytes +
         job.request.answer_count * (info.kv_fixed_bytes + info.kv_first_block_bytes);
}

// Reckons with what the requests under way will hold in the end, not with what they hold now. What
// kept sessions hold is given up when it is needed.
bool Scheduler::State::has_room_for(const Job& job) const {
  int64_t bytes = cache_bytes(job);
  for (const auto& other : jobs) {
    if (other->is_running()) bytes += cache_bytes(*other);
  }
  if (options.kv_bytes_max > 0 && bytes > options.kv_bytes_max) return false;
  // A budget is asked by tokens of one session: the others count as a longer past.
  const ModelInfo& info = engine.info();
  const int64_t other_answers = job.request.answer_count - 1;
  const int64_t other_bytes =
      bytes - cache_bytes(job) + other_answers * (info.kv_fixed_bytes + info.kv_first_block_bytes);
  const int64_t other_blocks = other_bytes / std::max<int64_t>(info.kv_block_bytes, 1);
  return engine.check_ram(tokens_at_most(job) + other_blocks * info.kv_block_tokens).ok();
}

void Scheduler::State::tell_places() {
  int64_t place = 0;
  for (Job* job : queue_in_order()) {
    if (job->told_place != place) {
      job->told_place = place;
      tell(*job, {.kind = ServiceEvent::Kind::kWaiting, .queue_place = place});
    }
    ++place;
  }
}

}  // namespace kvasir
