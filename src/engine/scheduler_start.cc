// Where a prompt begins: with what a kept session, the store or another request already has of it.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/scheduler_state.h"

namespace kvasir {
namespace {

// Waiting for another request has to save as many tokens.
constexpr int64_t kTokensWorthWaitingFor = 64;

}  // namespace

void Scheduler::State::start_all() {
  for (const auto& job : jobs) {
    if (job->phase == Job::Phase::kStarting && !job->is_held) start(*job);
  }
  // Some need no more than what is there already.
  serve_followers();
}

void Scheduler::State::start(Job& job) {
  if (!job.fetch.is_done()) return;
  int64_t common = 0;
  Job* leader = job.is_apart() ? nullptr : leader_of(job, common);
  if (leader != nullptr) {
    job.phase = Job::Phase::kFollowing;
    job.leader = leader->id;
    job.fork_at = common;
    return;
  }
  begin_prefill(job);
}

// Where memory is short it waits for that of the others.
void Scheduler::State::begin_prefill(Job& job) {
  Status taken = take_session(job);
  while (is_out_of_memory(taken) && kept.drop_oldest()) taken = take_session(job);
  const bool others_have_memory = std::ranges::any_of(
      jobs, [](const auto& other) { return other->session || !other->answers.empty(); });
  job.is_held = is_out_of_memory(taken) && others_have_memory;
  if (!taken.ok() && !job.is_held) return fail(job, std::move(taken).error());
  job.phase = job.is_held ? Job::Phase::kStarting : Job::Phase::kPrefill;
}

Status Scheduler::State::take_session(Job& job) {
  const std::span<const int32_t> prompt = job.request.prompt;
  job.usage.reused_ram_tokens = job.usage.reused_disk_tokens = 0;
  job.usage.reused_remote_tokens = 0;
  if (job.is_apart()) {
    KVASIR_ASSIGN_OR_RETURN(job.session, engine.new_session({.salt = job.request.salt}));
    return ok_status();
  }
  Session* kept_session = kept.find(prompt, job.request.salt);
  const int64_t stored = engine.resumable_tokens(prompt, {.salt = job.request.salt});
  if (kept_session != nullptr && kept_session->length() >= stored) {
    KVASIR_ASSIGN_OR_RETURN(job.session, kept_session->fork());
    job.usage.reused_ram_tokens = job.session->length();
    return ok_status();
  }
  KVASIR_ASSIGN_OR_RETURN(
      job.session, engine.state().resume_session(prompt, {.salt = job.request.salt}, job.fetch));
  job.fetch = {};
  const ReusedTokens reused = job.session->reused();
  job.usage.reused_ram_tokens = reused.ram_tokens;
  job.usage.reused_disk_tokens = reused.disk_tokens;
  job.usage.reused_remote_tokens = reused.remote_tokens;
  return ok_status();
}

Job* Scheduler::State::leader_of(const Job& job, int64_t& common) {
  const std::span<const int32_t> prompt = job.request.prompt;
  Session* kept_session = kept.find(prompt, job.request.salt);
  int64_t best = std::max(engine.resumable_tokens(prompt, {.salt = job.request.salt}),
                          kept_session != nullptr ? kept_session->length() : 0) +
                 kTokensWorthWaitingFor - 1;
  Job* leader = nullptr;
  for (const auto& other : jobs) {
    const bool can_lead =
        other->phase == Job::Phase::kPrefill || other->phase == Job::Phase::kFollowing;
    if (!can_lead || other->request.salt != job.request.salt || follows(*other, job.id)) continue;
    const int64_t shared = common_tokens(prompt, other->request.prompt);
    const int64_t passed = other->session ? other->session->length() : other->fork_at;
    if (shared <= best || passed > shared) continue;
    best = common = shared;
    leader = other.get();
  }
  return leader;
}

bool Scheduler::State::follows(const Job& job, RequestId id) {
  if (job.id == id) return true;
  if (job.phase != Job::Phase::kFollowing) return false;
  const Job* leader = find(job.leader);
  return leader != nullptr && follows(*leader, id);
}

void Scheduler::State::serve_followers() {
  // Who is served may be the one that others wait for.
  bool was_one_served = true;
  while (was_one_served) {
    was_one_served = false;
    for (const auto& job : jobs) {
      if (job->phase != Job::Phase::kFollowing) continue;
      serve(*job);
      was_one_served = was_one_served || job->phase != Job::Phase::kFollowing;
    }
  }
}

void Scheduler::State::serve(Job& follower) {
  Job* leader = find(follower.leader);
  const bool may_come = leader != nullptr && (leader->phase == Job::Phase::kPrefill ||
                                              leader->phase == Job::Phase::kFollowing);
  const int64_t reached = may_come && leader->session ? leader->session->length() : 0;
  if (!may_come || reached > follower.fork_at) {
    // It ended before. What it computed is kept or stored.
    follower.phase = Job::Phase::kStarting;
    return;
  }
  if (reached < follower.fork_at) return;
  // A leader that was resumed there has computed nothing yet, and a whole prompt needs logits.
  const bool is_whole_prompt = follower.fork_at == std::ssize(follower.request.prompt);
  if (is_whole_prompt && !leader->session->has_logits()) return begin_prefill(follower);
  Result<Session> fork = leader->session->fork();
  if (!fork.ok()) return begin_prefill(follower);
  follower.session = std::move(*fork);
  follower.usage.reused_ram_tokens = follower.fork_at;
  follower.phase = Job::Phase::kPrefill;
}

int64_t Scheduler::State::tokens_to_cut(const Job& job) const {
  int64_t tokens = job.prefill_left();
  for (const auto& other : jobs) {
    if (other->phase != Job::Phase::kFollowing || other->leader != job.id) continue;
    const int64_t until_fork = other->fork_at - job.session->length();
    if (until_fork > 0) tokens = std::min(tokens, until_fork);
  }
  return tokens;
}

int64_t Scheduler::State::tokens_to_first_answer(const Job& job) {
  int64_t tokens = job.prefill_left();
  for (const auto& other : jobs) {
    if (other->phase != Job::Phase::kFollowing || !follows(*other, job.id)) continue;
    tokens = std::min(tokens, std::ssize(other->request.prompt) - job.session->length());
  }
  return tokens;
}

}  // namespace kvasir
