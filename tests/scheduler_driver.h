// Driving a Scheduler or a Service in tests: what a sink hears, and what a request gets that runs
// alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/scheduler.h"

namespace kvasir::testing {

// What a sink heard of one request.
struct Heard {
  std::vector<ServiceEvent::Kind> kinds;
  std::map<int, std::vector<SampledToken>> tokens;  // by answer
  std::map<int, std::string> texts;
  std::map<int, StopReason> ends;
  std::vector<int64_t> places;  // in the queue
  std::vector<SampledToken> prompt_logprobs;
  ServiceUsage usage;
  std::optional<Error> error;
  bool heard_after_the_last = false;

  bool is_over() const {
    return !kinds.empty() && (kinds.back() == ServiceEvent::Kind::kDone ||
                              kinds.back() == ServiceEvent::Kind::kFailed);
  }
  int64_t count(ServiceEvent::Kind kind) const;
};

void hear(const ServiceEvent& event, Heard& heard);
ServiceSink into(Heard& heard);

// Log-probabilities of 20 tokens at every position: equal ones mean equal logits, near enough.
ServiceRequest request(std::vector<int32_t> prompt, int64_t tokens_max, double temperature = 0);
// The same for an engine without text.
ServiceRequest request_of_ids(std::vector<int32_t> prompt, int64_t tokens_max,
                              double temperature = 0);

// Steps until nothing is left to do.
void run(Scheduler& scheduler);
// Until its sink has heard the last.
void run_until_over(Scheduler& scheduler, const Heard& heard);

// What a fresh engine without a store gives.
Heard alone(const ServiceRequest& request, const EngineOptions& options);

// The first index at which ids or any of the log-probabilities differ; -1: none, and all are there.
int64_t first_difference(const std::vector<SampledToken>& a, const std::vector<SampledToken>& b);
void expect_same_bits(const std::vector<SampledToken>& a, const std::vector<SampledToken>& b);

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b);

// The bundled model, and a decoder of tests/golden/decoders without text.
EngineOptions bundled();
EngineOptions golden_decoder(const std::string& name);

}  // namespace kvasir::testing
