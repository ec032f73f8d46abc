// probe_now() asks an endpoint for names and waits for the answer, in as many calls at a time as
// the engine needs.
#pragma once

#include <optional>
#include <vector>

#include "store/remote/endpoint.h"

namespace kvasir::store::remote {

// Answers which of these the engine has. None: a call failed, or not all have answered by then.
std::optional<std::vector<bool>> probe_now(Endpoint& endpoint, const std::vector<ObjectName>& names,
                                           Deadline deadline);

}  // namespace kvasir::store::remote
