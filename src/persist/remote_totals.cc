#include "persist/remote_totals.h"

#include <cmath>
#include <string_view>

namespace kvasir::persist {
namespace {

constexpr std::string_view kPrefix = "remote/";

struct TierCount {
  const char* name;
  int64_t RemoteMetrics::*count;
};
constexpr TierCount kTierCounts[] = {
    {"lookups", &RemoteMetrics::lookups},
    {"requested_tokens", &RemoteMetrics::requested_tokens},
    {"hit_tokens", &RemoteMetrics::hit_tokens},
    {"negative_hits", &RemoteMetrics::negative_hits},
    {"round_trips", &RemoteMetrics::round_trips},
    {"given_up", &RemoteMetrics::given_up},
    {"head_blocks", &RemoteMetrics::head_blocks},
    {"late_pieces", &RemoteMetrics::late_pieces},
    {"written_chains", &RemoteMetrics::written_chains},
    {"dropped_chains", &RemoteMetrics::dropped_chains},
};

struct EngineCount {
  const char* name;
  int64_t RemoteEndpointMetrics::*count;
};
constexpr EngineCount kEngineCounts[] = {
    {"closed_off_count", &RemoteEndpointMetrics::closed_off_count},
    {"failures", &RemoteEndpointMetrics::failures},
    {"deadline_exceeded", &RemoteEndpointMetrics::deadline_exceeded},
    {"read_objects", &RemoteEndpointMetrics::read_objects},
    {"read_bytes", &RemoteEndpointMetrics::read_bytes},
    {"written_objects", &RemoteEndpointMetrics::written_objects},
    {"written_bytes", &RemoteEndpointMetrics::written_bytes},
    {"missing_objects", &RemoteEndpointMetrics::missing_objects},
    {"wrong_bytes", &RemoteEndpointMetrics::wrong_bytes},
    {"full_answers", &RemoteEndpointMetrics::full_answers},
};

void add_engine(const RemoteEndpointMetrics& engine, NamedTotals& totals) {
  const auto add = [&](const std::string& name, int64_t count) {
    totals[std::string(kPrefix) + name + "/" + engine.label] += count;
  };
  for (const auto& [name, count] : kEngineCounts) add(name, engine.*count);
  for (size_t i = 0; i < kRemoteOperationCount; ++i) {
    const std::string operation = name_of(static_cast<RemoteOperation>(i));
    add(operation + "_calls", engine.seconds[i].count);
    add(operation + "_us", std::llround(engine.seconds[i].sum * 1e6));
  }
}

}  // namespace

NamedTotals totals_of(const RemoteMetrics& metrics) {
  NamedTotals totals;
  for (const auto& [name, count] : kTierCounts)
    totals[std::string(kPrefix) + name] = metrics.*count;
  for (const RemoteEndpointMetrics& engine : metrics.endpoints) add_engine(engine, totals);
  return totals;
}

RemoteTotals remote_totals_in(const NamedTotals& totals) {
  RemoteTotals remote;
  for (const auto& [full_name, count] : totals) {
    if (!full_name.starts_with(kPrefix)) continue;
    const std::string name = full_name.substr(kPrefix.size());
    const size_t slash = name.find('/');
    if (slash == std::string::npos) {
      remote.counts[name] = count;
    } else {
      remote.endpoints[name.substr(slash + 1)][name.substr(0, slash)] = count;
    }
  }
  return remote;
}

}  // namespace kvasir::persist
