#include "server/remote_json.h"

#include <utility>

namespace kvasir::server {
namespace {

Json::Object calls_json(const RemoteEndpointMetrics& endpoint) {
  Json::Object calls;
  for (size_t i = 0; i < kRemoteOperationCount; ++i) {
    const Histogram& seconds = endpoint.seconds[i];
    calls.emplace_back(name_of(static_cast<RemoteOperation>(i)),
                       Json::Object{{"count", seconds.count}, {"seconds", seconds.sum}});
  }
  return calls;
}

Json::Object endpoint_json(const RemoteEndpointMetrics& endpoint) {
  return {{"label", endpoint.label},
          {"is_closed_off", endpoint.is_closed_off},
          {"closed_off_count", endpoint.closed_off_count},
          {"failures", endpoint.failures},
          {"deadline_exceeded", endpoint.deadline_exceeded},
          {"read_objects", endpoint.read_objects},
          {"read_bytes", endpoint.read_bytes},
          {"written_objects", endpoint.written_objects},
          {"written_bytes", endpoint.written_bytes},
          {"missing_objects", endpoint.missing_objects},
          {"wrong_bytes", endpoint.wrong_bytes},
          {"full_answers", endpoint.full_answers},
          {"queued_calls", endpoint.queued_calls},
          {"calls", calls_json(endpoint)}};
}

}  // namespace

Json::Object json_of(const RemoteMetrics& metrics) {
  Json::Array endpoints;
  for (const RemoteEndpointMetrics& one : metrics.endpoints) {
    endpoints.emplace_back(endpoint_json(one));
  }
  return {{"lookups", metrics.lookups},
          {"requested_tokens", metrics.requested_tokens},
          {"hit_tokens", metrics.hit_tokens},
          {"negative_hits", metrics.negative_hits},
          {"round_trips", metrics.round_trips},
          {"given_up", metrics.given_up},
          {"head_blocks", metrics.head_blocks},
          {"late_pieces", metrics.late_pieces},
          {"written_chains", metrics.written_chains},
          {"dropped_chains", metrics.dropped_chains},
          {"queued_chains", metrics.queued_chains},
          {"endpoints", std::move(endpoints)}};
}

}  // namespace kvasir::server
