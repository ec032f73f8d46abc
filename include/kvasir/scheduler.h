// A Scheduler runs many requests on one engine: each step is one pass over all sessions that decode
// and a piece of the prompts that wait. What a request gets depends on nothing that runs beside it.
//
//   Scheduler scheduler(engine, {});
//   scheduler.submit({.prompt = ids}, [](const ServiceEvent& event) { ... });
//   while (scheduler.step()) {}
//
// - A piece of prefill is bounded in time while anybody decodes, so that nobody waits long for the
//   next token. Of several prompts the one with the least work left goes first; waiting counts.
// - Prompts that begin alike and are there at the same time are computed once: the later one waits
//   until the earlier one has got to where they part, and goes on from a fork.
// - A session whose request has ended stays until its memory is wanted, so that the next turn
//   goes on from its last token. A cancelled request leaves what was computed.
//
// It owns the sessions, refers to the engine, and runs on the engine's thread, as do the sinks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/generate.h"
#include "kvasir/generation.h"
#include "kvasir/histogram.h"
#include "kvasir/result.h"

namespace kvasir {

using ServiceClock = std::chrono::steady_clock;

struct ServiceRequest {
  std::vector<int32_t> prompt;  // at least one id
  GenerateOptions options;      // tokens_max 0: only the prompt is computed, and kept
  ReplyKind reply = ReplyKind::kText;
  int answer_count = 1;                // answers to the same prompt; the seeds count up
  bool wants_prompt_logprobs = false;  // of all prompt tokens; nothing of the prompt is reused
  bool reuses = true;                  // false: all of the prompt is computed
  bool digests_logits = false;         // ServiceEvent::logits_digest
  // The last event comes once the remote tier has what the request leaves, or 2 s later: another
  // server may get the next turn.
  bool hands_over = false;
  // What the remote tier has of the prompt begins to come, and that is all: a request that goes on
  // from there is expected soon.
  bool only_prefetches = false;
  std::string salt;         // nothing is shared with requests of another salt
  std::vector<Keep> keeps;  // of the prompt, once it is computed
  // Higher ones leave the queue first; one below 0 when nothing else is there.
  int priority = 0;
  std::optional<ServiceClock::time_point> deadline;  // fails with kInterrupted then
};

struct ServiceUsage {
  int64_t prompt_tokens = 0;
  int64_t reused_ram_tokens = 0;     // of the prompt, not computed: taken from sessions in memory
  int64_t reused_disk_tokens = 0;    // likewise, read from the store
  int64_t reused_remote_tokens = 0;  // likewise, brought from the remote tier
  int64_t computed_tokens = 0;       // of the prompt
  int64_t generated_tokens = 0;      // of all answers, the ids that ended them included
  int64_t reasoning_tokens = 0;      // of these
  double queue_ms = 0;               // until the first pass
  double prefill_ms = 0;             // from there to the first sampled token
  double decode_ms = 0;

  int64_t reused_tokens() const {
    return reused_ram_tokens + reused_disk_tokens + reused_remote_tokens;
  }
};

// A ServiceEvent tells one request's sink what happened. Of each request the last one is kDone or
// kFailed, and exactly one of these comes.
struct ServiceEvent {
  enum class Kind : uint8_t {
    kWaiting,  // `queue_place` requests are before it
    kPrefill,  // a pass has computed part of the prompt: `usage`, and done_tokens of prompt_tokens
    kStarted,  // the prompt is computed, and `usage` says what of it was reused
    kPiece,    // of answer `answer`: `piece`
    kEnded,    // answer `answer` has ended: last `piece`, `stop_reason`, `stop_string`
    kDone,     // all answers have ended: `usage`
    kFailed,   // `error`; what of the answers came stands
  };
  Kind kind = Kind::kWaiting;
  int answer = 0;
  int64_t queue_place = 0;
  int64_t done_tokens = 0;  // of the prompt, reused ones included
  GenerationPiece piece;
  StopReason stop_reason = StopReason::kTokenLimit;
  std::string stop_string;                    // the one that ended it
  std::vector<int32_t> ids;                   // with kEnded: all that were sampled
  std::string logits_digest;                  // with kEnded where wanted: of all they came from
  std::vector<SampledToken> prompt_logprobs;  // with kStarted where wanted; the first one's is 0
  ServiceUsage usage;
  std::optional<Error> error;  // with kStarted: why something of ServiceRequest::keeps is not kept
};

// Errors that a request has whatever else runs: no tokens, ids outside the vocabulary, options out
// of range, text wanted of a model without a tokenizer (kUsage), more tokens than any RAM budget
// lets run (kNoRoom). Any thread.
Status check_request(Engine& engine, const ServiceRequest& request);

// A ServiceSink is called on the engine's thread and must neither wait nor throw. It may submit and
// cancel requests; those cancelled during a step end at the next one.
using ServiceSink = std::function<void(const ServiceEvent&)>;

// A RequestId is never used twice.
using RequestId = uint64_t;

struct ServiceOptions {
  int64_t running_max = 32;                      // requests whose sessions are under way
  int64_t queued_requests_max = 256;             // more are refused
  int64_t queued_tokens_max = int64_t{8} << 20;  // of all prompts that wait
  double prefill_piece_ms = 250;                 // while anybody decodes
  int64_t idle_sessions_max = 64;                // kept after their requests
  // Bytes of cache beyond which no more requests are begun and kept sessions are dropped; 0: what
  // EngineOptions::ram_bytes allows, or no bound. One request runs in any case.
  int64_t kv_bytes_max = 0;
};

struct ServiceMetrics {
  int64_t running_requests = 0;
  int64_t waiting_requests = 0;
  int64_t waiting_tokens = 0;
  int64_t idle_sessions = 0;
  int64_t finished_by_end = 0;  // requests by how their last answer ended
  int64_t finished_by_length = 0;
  int64_t cancelled = 0;
  int64_t failed = 0;
  int64_t refused = 0;  // the queue was full
  int64_t prompt_tokens = 0;
  int64_t computed_tokens = 0;
  int64_t reused_ram_tokens = 0;
  int64_t reused_disk_tokens = 0;
  int64_t reused_remote_tokens = 0;
  int64_t generated_tokens = 0;
  int64_t passes = 0;
  int64_t kv_bytes = 0;
  Histogram first_token_seconds;  // from submit
  Histogram between_tokens_seconds;
  Histogram queue_seconds;
  Histogram prefill_seconds;
  Histogram decode_seconds;
  Histogram request_seconds;
  Histogram prompt_token_counts;
  Histogram generated_token_counts;
};

class Scheduler {
 public:
  // The engine must outlive it and stay where it is.
  Scheduler(Engine& engine, const ServiceOptions& options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Errors: those of check_request; kBusy where the queue is full. Then the sink is not called.
  Result<RequestId> submit(ServiceRequest request, ServiceSink sink);
  // Ends a request; its sink gets kFailed with kInterrupted. What was computed is kept. One that
  // has ended already: nothing.
  void cancel(RequestId id);

  // Makes one pass, or what else there is to do. Returns whether there is more.
  bool step();

  ServiceMetrics metrics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
