#include "engine/queue_bound.h"

namespace kvasir {

std::string Waiting::text() const {
  return std::to_string(requests) + " requests of " + std::to_string(tokens) + " tokens";
}

Status check_queue_bound(const ServiceOptions& options, const Waiting& waiting,
                         int64_t prompt_tokens) {
  const bool is_full =
      waiting.requests >= options.queued_requests_max ||
      (waiting.requests > 0 && waiting.tokens + prompt_tokens > options.queued_tokens_max);
  if (!is_full) return ok_status();
  return Error{.kind = ErrorKind::kBusy,
               .what = "too many requests wait",
               .found = waiting.text(),
               .remedy = "try again later"};
}

}  // namespace kvasir
