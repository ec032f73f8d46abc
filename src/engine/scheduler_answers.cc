// What passes have made: prompts that are computed, tokens, answers that end.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/check.h"
#include "engine/logprobs.h"
#include "engine/scheduler_state.h"

namespace kvasir {
namespace {

// How long the end of a request waits for the remote tier.
constexpr std::chrono::seconds kHandoverTime(2);
// How long the scheduler waits for the remote tier where it has nothing else to do.
constexpr std::chrono::milliseconds kRemoteStep(1);

double ms_between(ServiceClock::time_point from, ServiceClock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

void add_logits(Answer& answer) {
  answer.logits_digest =
      Sha256().add(answer.logits_digest).add(std::as_bytes(answer.session.logits())).finish();
}

}  // namespace

void Scheduler::State::advance() {
  serve_followers();
  for (const auto& job : jobs) {
    if (job->phase == Job::Phase::kPrefill) advance_prefill(*job);
    if (job->phase != Job::Phase::kDecode) continue;
    for (int i = 0; i < std::ssize(job->answers) && job->phase == Job::Phase::kDecode; ++i) {
      step_answer(*job, i);
    }
  }
}

void Scheduler::State::advance_prefill(Job& job) {
  const int64_t done = job.session->length();
  job.usage.computed_tokens = done - job.usage.reused_tokens();
  if (done < std::ssize(job.request.prompt)) {
    if (done > job.told_tokens) {
      tell(job, {.kind = ServiceEvent::Kind::kPrefill, .done_tokens = done, .usage = job.usage});
    }
    job.told_tokens = done;
    return;
  }
  begin_answers(job);
}

// Row i of a piece that begins at token p tells of token p + i + 1.
void Scheduler::State::take_prompt_logprobs(Job& job, const Part& part) {
  const std::span<const int32_t> prompt = job.request.prompt;
  if (job.prompt_logprobs.empty()) job.prompt_logprobs.push_back({.id = prompt[0]});
  const auto vocab = static_cast<size_t>(engine.info().vocab_size);
  for (size_t i = 0; i < part.input.tokens.size(); ++i) {
    const size_t told = static_cast<size_t>(part.length_before) + i + 1;
    if (told == prompt.size()) return;
    Result<SampledToken> token =
        logprobs_of(part.input.all_logits.subspan(i * vocab, vocab), static_cast<int64_t>(told),
                    prompt[told], job.request.options.top_logprob_count);
    if (!token.ok()) return fail(job, std::move(token).error());
    job.prompt_logprobs.push_back(std::move(*token));
  }
}

void Scheduler::State::begin_answers(Job& job) {
  job.phase = Job::Phase::kDecode;
  job.decode_began_at = ServiceClock::now();
  job.usage.prefill_ms = ms_between(job.began_at, job.decode_began_at);
  job.all_logits = {};
  counts.prefill_seconds.add(job.usage.prefill_ms / 1000);
  counts.queue_seconds.add(job.usage.queue_ms / 1000);
  // Where a later turn or branch sets in.
  job.session->mark_resumable();
  tell(job, {.kind = ServiceEvent::Kind::kStarted,
             .done_tokens = job.usage.prompt_tokens,
             .prompt_logprobs = std::exchange(job.prompt_logprobs, {}),
             .usage = job.usage,
             .error = keep_beginnings(job)});
  if (Status made = make_answers(job); !made.ok()) fail(job, std::move(made).error());
}

std::optional<Error> Scheduler::State::keep_beginnings(const Job& job) {
  std::optional<Error> failed;
  for (const Keep& keep : job.request.keeps) {
    Status kept_so = engine.keep(job.request.prompt, keep, {.salt = job.request.salt});
    if (!kept_so.ok() && !failed) failed = std::move(kept_so).error();
  }
  return failed;
}

Status Scheduler::State::make_answers(Job& job) {
  GenerateOptions answer_options = job.request.options;
  for (int i = 0; i < job.request.answer_count; ++i) {
    KVASIR_ASSIGN_OR_RETURN(Generation generation,
                            Generation::create(engine, answer_options, job.request.reply));
    generation.set_prompt(job.request.prompt);
    ++answer_options.sampling.seed;
    const bool is_last = i + 1 == job.request.answer_count;
    if (is_last) {
      job.answers.push_back(
          {.session = std::move(*job.session), .generation = std::move(generation)});
      job.session.reset();
      break;
    }
    KVASIR_ASSIGN_OR_RETURN(Session fork, job.session->fork());
    job.answers.push_back({.session = std::move(fork), .generation = std::move(generation)});
  }
  return ok_status();
}

void Scheduler::State::step_answer(Job& job, int index) {
  Answer& answer = job.answers[static_cast<size_t>(index)];
  if (answer.has_ended) return;
  if (answer.generation.is_done()) return end_answer(job, index, {});
  if (answer.session.length() != job.length_wanted(answer)) return;
  if (job.request.digests_logits) add_logits(answer);
  Result<GenerationPiece> piece =
      answer.generation.step(answer.session.logits(), answer.session.length());
  if (!piece.ok()) return fail(job, std::move(piece).error());
  const auto now = ServiceClock::now();
  ++job.usage.generated_tokens;
  if (answer.newest_token_at) {
    counts.between_tokens_seconds.add(ms_between(*answer.newest_token_at, now) / 1000);
  } else if (index == 0) {
    counts.first_token_seconds.add(ms_between(job.submitted_at, now) / 1000);
  }
  answer.newest_token_at = now;
  if (answer.generation.is_done()) return end_answer(job, index, std::move(*piece));
  if (piece->empty()) return;
  tell(job, {.kind = ServiceEvent::Kind::kPiece, .answer = index, .piece = std::move(*piece)});
}

void Scheduler::State::end_answer(Job& job, int index, GenerationPiece piece) {
  Answer& answer = job.answers[static_cast<size_t>(index)];
  answer.has_ended = true;
  job.usage.reasoning_tokens += answer.generation.reasoning_token_count();
  tell(job, {.kind = ServiceEvent::Kind::kEnded,
             .answer = index,
             .piece = std::move(piece),
             .stop_reason = answer.generation.stop_reason(),
             .stop_string = answer.generation.stop_string(),
             .ids = {answer.generation.tokens().begin(), answer.generation.tokens().end()},
             .logits_digest =
                 job.request.digests_logits ? to_hex(answer.logits_digest) : std::string()});
  answer.session.mark_resumable();
  if (std::ranges::all_of(job.answers, [](const Answer& one) { return one.has_ended; }))
    finish(job);
}

void Scheduler::State::finish(Job& job) {
  const StopReason last = job.answers.back().generation.stop_reason();
  ++(last == StopReason::kTokenLimit ? counts.finished_by_length : counts.finished_by_end);
  end_usage(job);
  if (job.request.hands_over && engine.saves()) begin_handover(job);
  if (job.handover.empty()) end_handover(job);
}

// Another server may get the next turn: then what this one leaves has to be where it looks.
void Scheduler::State::begin_handover(Job& job) {
  for (const Answer& answer : job.answers) {
    if (auto ticket = engine.state().hand_over(answer.session)) job.handover.push_back(*ticket);
  }
  if (job.handover.empty()) return;
  job.phase = Job::Phase::kHandover;
  job.handover_ends_at = ServiceClock::now() + kHandoverTime;
}

void Scheduler::State::end_handovers() {
  const auto now = ServiceClock::now();
  for (const auto& job : jobs) {
    if (job->phase != Job::Phase::kHandover) continue;
    const bool is_written = std::ranges::all_of(job->handover, [&](const auto& ticket) {
      return engine.state().persistence->remote()->tier().is_done(ticket);
    });
    if (is_written || now >= job->handover_ends_at) end_handover(*job);
  }
  std::erase_if(jobs, [](const auto& job) { return job->phase == Job::Phase::kOver; });
}

void Scheduler::State::end_handover(Job& job) {
  leave(job, {.kind = ServiceEvent::Kind::kDone, .usage = job.usage});
}

void Scheduler::State::wait_for_remote() const {
  for (const auto& job : jobs) {
    if (!job->waits_for_remote()) continue;
    if (!job->fetch.is_done()) return job->fetch.wait(kRemoteStep);
    std::this_thread::sleep_for(kRemoteStep);
    return;
  }
}

void Scheduler::State::fail(Job& job, Error error) {
  ++(error.kind == ErrorKind::kInterrupted ? counts.cancelled : counts.failed);
  if (job.session) job.session->mark_resumable();
  for (Answer& answer : job.answers) {
    answer.session.mark_resumable();
    if (answer.has_ended) continue;
    job.usage.reasoning_tokens += answer.generation.reasoning_token_count();
  }
  end_usage(job);
  leave(job, {.kind = ServiceEvent::Kind::kFailed, .usage = job.usage, .error = std::move(error)});
}

void Scheduler::State::end_usage(Job& job) {
  if (job.phase != Job::Phase::kDecode) return;
  job.usage.decode_ms = ms_between(job.decode_began_at, ServiceClock::now());
  counts.decode_seconds.add(job.usage.decode_ms / 1000);
}

void Scheduler::State::leave(Job& job, ServiceEvent last) {
  job.phase = Job::Phase::kOver;
  if (job.session) keep(std::move(*job.session), job.request.salt);
  for (Answer& answer : job.answers) keep(std::move(answer.session), job.request.salt);
  job.session.reset();
  job.answers.clear();
  if (!job.request.only_prefetches) count(job);
  // Memory has become free for whoever waits for it.
  for (const auto& other : jobs) other->is_held = false;
  tell(job, std::move(last));
}

void Scheduler::State::count(const Job& job) {
  counts.prompt_tokens += job.usage.prompt_tokens;
  counts.computed_tokens += job.usage.computed_tokens;
  counts.reused_ram_tokens += job.usage.reused_ram_tokens;
  counts.reused_disk_tokens += job.usage.reused_disk_tokens;
  counts.reused_remote_tokens += job.usage.reused_remote_tokens;
  counts.generated_tokens += job.usage.generated_tokens;
  counts.prompt_token_counts.add(static_cast<double>(job.usage.prompt_tokens));
  counts.generated_token_counts.add(static_cast<double>(job.usage.generated_tokens));
  counts.request_seconds.add(waited_ms(job) / 1000);
}

void Scheduler::State::keep(Session session, const std::string& salt) {
  if (session.length() == 0) return;
  kept.keep(std::move(session), salt);
  while (kept.count() > options.idle_sessions_max && kept.drop_least_worth()) {
  }
  keep_to_bytes(0);
}

// Kept sessions are dropped where the cache and what is about to be added to it pass the bound.
void Scheduler::State::keep_to_bytes(int64_t added_bytes) {
  if (options.kv_bytes_max <= 0) return;
  while (engine.kv_bytes() + added_bytes > options.kv_bytes_max && kept.drop_oldest()) {
  }
}

void Scheduler::State::tell(Job& job, ServiceEvent event) {
  if (job.sink) job.sink(event);
}

}  // namespace kvasir
