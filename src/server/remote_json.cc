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
  Json::Object object{{"label", endpoint.label},
                      {"is_closed_off", endpoint.is_closed_off},
                      {"is_read_only", endpoint.is_read_only}};
  for (const auto& [name, count] : kRemoteEndpointCounts)
    object.emplace_back(name, endpoint.*count);
  object.emplace_back("queued_calls", endpoint.queued_calls);
  object.emplace_back("calls", calls_json(endpoint));
  return object;
}

}  // namespace

Json::Object json_of(const RemoteMetrics& metrics) {
  Json::Object object;
  for (const auto& [name, count] : kRemoteCounts) object.emplace_back(name, metrics.*count);
  object.emplace_back("queued_chains", metrics.queued_chains);
  Json::Array endpoints;
  for (const RemoteEndpointMetrics& one : metrics.endpoints) {
    endpoints.emplace_back(endpoint_json(one));
  }
  object.emplace_back("endpoints", std::move(endpoints));
  return object;
}

}  // namespace kvasir::server
