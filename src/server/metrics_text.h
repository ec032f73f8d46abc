// metrics_text writes counts in the text format that Prometheus scrapes. Names have the stems of
// vLLM under `kvasir_`, so that dashboards port by search and replace. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvasir/remote.h"
#include "kvasir/scheduler.h"
#include "kvasir/store.h"
#include "server/http_server.h"
#include "server/repairs.h"

namespace kvasir::server {

// A RouteCount is how often a route answered with a status.
struct RouteCount {
  std::string route;  // "/v1/messages"
  int status = 0;
  int64_t count = 0;
};

struct MetricsInput {
  std::string_view model;
  ServiceMetrics service;
  StoreMetrics store;
  RemoteMetrics remote;
  HttpCounts http;
  std::vector<RouteCount> routes;
  Repairs repairs;
  int64_t process_rss_bytes = 0;
  double started_at_s = 0;  // Unix time
};

std::string metrics_text(const MetricsInput& input);

}  // namespace kvasir::server
