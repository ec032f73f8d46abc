// Scheduler::State and the requests it runs. Only the scheduler's own files see them. One thread.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "engine/engine_state.h"
#include "engine/kept_sessions.h"
#include "engine/pass_plan.h"
#include "engine/queue_bound.h"
#include "kvasir/scheduler.h"

namespace kvasir {

// An Answer is one of those that a request asks for.
struct Answer {
  Session session;
  Generation generation;
  std::optional<ServiceClock::time_point> newest_token_at;
  bool has_ended = false;     // its sink has heard so
  Digest256 logits_digest{};  // of all steps so far, where wanted
};

// A Job is a request from its submission to its end.
struct Job {
  enum class Phase : uint8_t {
    kQueued,
    kStarting,   // has room, and looks for what of its prompt is there already
    kFollowing,  // waits until `leader` has got to where both prompts part
    kPrefill,
    kDecode,
    kHandover,  // all is told but its end, which waits for the remote tier
    kOver,      // its sink has heard the last; leaves at the end of the step
  };

  // Tokens that the session of an answer holds once its newest sampled one is computed.
  int64_t length_wanted(const Answer& answer) const {
    return std::ssize(request.prompt) + std::ssize(answer.generation.tokens());
  }
  // Nobody else's rows may go into it.
  bool is_apart() const { return request.wants_prompt_logprobs || !request.reuses; }
  int64_t prefill_left() const { return std::ssize(request.prompt) - session->length(); }
  bool is_running() const { return phase != Phase::kQueued && phase != Phase::kOver; }
  // Whether nothing is to be done but to wait for the remote tier.
  bool waits_for_remote() const {
    return (phase == Phase::kStarting && !fetch.is_done()) || phase == Phase::kHandover;
  }

  RequestId id = 0;
  ServiceRequest request;
  ServiceSink sink;
  Phase phase = Phase::kQueued;
  ServiceClock::time_point submitted_at;
  ServiceClock::time_point began_at;
  ServiceClock::time_point decode_began_at;
  int64_t reusable_tokens = 0;  // as far as known when it was submitted
  int64_t told_place = -1;      // in the queue
  int64_t told_tokens = 0;      // of its prompt
  bool is_held = false;         // waits for memory that others have
  RequestId leader = 0;
  int64_t fork_at = 0;             // tokens that it takes from its leader
  RemoteFetch fetch;               // of the prompt, until its session has it
  std::optional<Session> session;  // of the prompt, until it is computed
  std::vector<Answer> answers;
  std::vector<float> all_logits;  // [piece, vocab] with wants_prompt_logprobs
  std::vector<SampledToken> prompt_logprobs;
  ServiceUsage usage;
  std::vector<persist::RemoteChains::Ticket> handover;
  ServiceClock::time_point handover_ends_at;
};

inline bool is_out_of_memory(const Status& status) {
  return !status.ok() &&
         (status.error().kind == ErrorKind::kNoRoom || status.error().kind == ErrorKind::kNoMemory);
}

struct Scheduler::State {
  State(Engine& used, const ServiceOptions& given);

  Result<RequestId> submit(ServiceRequest request, ServiceSink sink);
  void cancel(RequestId id);
  bool step();
  ServiceMetrics metrics() const;

 private:
  // One session's share of a pass.
  struct Part {
    Job* job;
    BatchInput input;
    int64_t length_before = 0;  // of its session
  };

  // ---- the queue (scheduler_queue.cc) ----
  Waiting waiting() const;
  void end_cancelled(RequestId id);
  void expire();
  void end_prefetches();
  void admit();
  Job* next_queued();
  std::vector<Job*> queue_in_order() const;
  bool has_room_for(const Job& job) const;
  int64_t tokens_at_most(const Job& job) const;
  int64_t cache_bytes(const Job& job) const;
  void tell_places();

  // ---- the beginning of a prompt (scheduler_start.cc) ----
  void start_all();
  void start(Job& job);
  void begin_prefill(Job& job);
  Status take_session(Job& job);
  // The running request that shares the most of its prompt and can be waited for; null: none.
  Job* leader_of(const Job& job, int64_t& common);
  bool follows(const Job& job, RequestId id);
  void serve_followers();
  void serve(Job& follower);
  // Tokens that a prompt may go on before somebody is to be forked from it.
  int64_t tokens_to_cut(const Job& job) const;
  // What is left of a prompt, or of the shortest one that waits for it.
  int64_t tokens_to_first_answer(const Job& job);

  // ---- passes (scheduler_pass.cc) ----
  bool run_pass();
  int64_t decoders_max() const;
  void add_decoders(std::vector<Part>& parts);
  void add_prefills(std::vector<Part>& parts);
  Status compute(std::vector<Part>& parts);
  void compute_alone(std::vector<Part>& parts);
  static bool is_untouched(std::span<const Part> parts);
  static void begin_again_where_logits_are_lost(const Part& part);
  // Makes room for others by letting one request wait. False: there is only one.
  bool hold_youngest(const std::vector<Part>& parts);

  // ---- what passes have made (scheduler_answers.cc) ----
  void advance();
  void advance_prefill(Job& job);
  void take_prompt_logprobs(Job& job, const Part& part);
  void begin_answers(Job& job);
  // The first failure.
  std::optional<Error> keep_beginnings(const Job& job);
  Status make_answers(Job& job);
  void step_answer(Job& job, int index);
  void end_answer(Job& job, int index, GenerationPiece piece);
  void finish(Job& job);
  void begin_handover(Job& job);
  void end_handovers();
  void end_handover(Job& job);
  void count(const Job& job);
  void wait_for_remote() const;
  void fail(Job& job, Error error);
  void end_usage(Job& job);
  void leave(Job& job, ServiceEvent last);
  void keep(Session session, const std::string& salt);
  void keep_to_bytes(int64_t added_bytes);
  void tell(Job& job, ServiceEvent event);

  Job* find(RequestId id);
  double waited_ms(const Job& job) const;

  Engine& engine;
  ServiceOptions options;
  std::list<std::unique_ptr<Job>> jobs;  // in the order in which they came
  KeptSessions kept;
  PassPace pace;
  RequestId newest_id = 0;
  bool is_stepping = false;
  std::vector<RequestId> cancelled;  // by sinks, during a step
  size_t decoder_turn = 0;           // whose turn it is where more decode than a pass takes
  ServiceMetrics counts;
};

}  // namespace kvasir
