#include "persist/remote_totals.h"

#include <cmath>
#include <string_view>

namespace kvasir::persist {
namespace {

constexpr std::string_view kPrefix = "remote/";

void add_engine(const RemoteEndpointMetrics& engine, NamedTotals& totals) {
  const auto add = [&](const std::string& name, int64_t count) {
    totals[std::string(kPrefix) + name + "/" + engine.label] += count;
  };
  for (const auto& [name, count] : kRemoteEndpointCounts) add(name, engine.*count);
  for (size_t i = 0; i < kRemoteOperationCount; ++i) {
    const std::string operation = name_of(static_cast<RemoteOperation>(i));
    add(operation + "_calls", engine.seconds[i].count);
    add(operation + "_us", std::llround(engine.seconds[i].sum * 1e6));
  }
}

}  // namespace

NamedTotals totals_of(const RemoteMetrics& metrics) {
  NamedTotals totals;
  for (const auto& [name, count] : kRemoteCounts) {
    totals[std::string(kPrefix) + name] = metrics.*count;
  }
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
