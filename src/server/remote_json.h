// What a remote tier counted, as JSON: for the page of the cache and for commands' reports.
#pragma once

#include "base/json.h"
#include "kvasir/remote.h"

namespace kvasir::server {

Json::Object json_of(const RemoteMetrics& metrics);

}  // namespace kvasir::server
