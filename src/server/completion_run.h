// A CompletionRun is one request that computes, from its submission to the last byte of its reply:
// it hands prompts to the service, writes what comes back in the dialect of the client, keeps the
// client waiting with heartbeats, and cancels when the client leaves.
//
// The service's sinks own it. It is called from the service's thread (events), the HTTP server's
// (client gone, silence) and the one that starts it; a mutex makes them take turns.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/stopwatch.h"
#include "kvasir/service.h"
#include "server/access_log.h"
#include "server/dialect.h"
#include "server/http_server.h"
#include "server/turn_recorder.h"

namespace kvasir::server {

// What a run is made of. The service outlives all runs.
struct CompletionOrder {
  Service* service = nullptr;
  const Dialect* dialect = nullptr;
  std::shared_ptr<HttpExchange> exchange;
  Call call;
  ReplyFacts facts;
  std::vector<ServiceRequest> requests;  // one a prompt
  std::vector<TurnRecorder> recorders;   // the same; none: what is said is not kept
  // Takes the ids of the first answer to the first prompt; may be empty.
  std::function<void(std::span<const int32_t> said)> on_said;
  HttpHeaders headers;  // of the response
  std::chrono::milliseconds heartbeat_period{0};
  AccessEntry entry;                                // of the log, as far as it is known
  std::function<void(const AccessEntry&)> on_over;  // called once
};

class CompletionRun : public std::enable_shared_from_this<CompletionRun> {
 public:
  static void start(CompletionOrder order);

  explicit CompletionRun(CompletionOrder order);

 private:
  void begin();
  // False: it is over already.
  bool submit_all();
  void on_event(size_t prompt, const ServiceEvent& event);
  void on_gone();
  void on_silence();

  // Under mutex_:
  void take(size_t prompt, const ServiceEvent& event);
  void record(size_t prompt, const ServiceEvent& event);
  // The same answer once more, with nothing reused.
  void compute_again();
  void on_proof(const ServiceEvent& event);
  void go_without_proof(const Error& error);
  void finish();
  void fail(const ApiError& error);
  void leave(std::string outcome);
  void send(std::string bytes);
  void cancel_all();
  ReplyProgress progress() const;
  ServiceUsage usage() const;  // of all prompts

  CompletionOrder order_;
  std::mutex mutex_;
  std::unique_ptr<Reply> reply_;
  std::vector<RequestId> ids_;           // of requests that were submitted
  std::vector<ServiceUsage> usages_;     // [prompts]
  std::vector<int64_t> done_tokens_;     // [prompts]
  std::optional<ServiceRequest> again_;  // where a proof is wanted
  std::string logits_digest_;            // of the answer that the client got
  std::optional<Proof> proof_;
  int64_t queue_place_ = 0;
  size_t done_count_ = 0;
  bool has_begun_ = false;  // the status line is spent
  bool is_over_ = false;
  Stopwatch watch_;
  Stopwatch since_sent_;
};

}  // namespace kvasir::server
