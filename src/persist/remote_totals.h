// What remote tiers count, as totals that a store's catalog keeps from process to process. Each has
// a name: "remote/hit_tokens", and of an engine "remote/read_bytes/redis://host:6379". Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "kvasir/remote.h"

namespace kvasir::persist {

using NamedTotals = std::map<std::string, int64_t>;

// All that only grows; what is the case now is no total.
NamedTotals totals_of(const RemoteMetrics& metrics);
// Takes those of remote tiers out of all that a catalog has.
RemoteTotals remote_totals_in(const NamedTotals& totals);

}  // namespace kvasir::persist
