// These functions take requests as they lie in files: explain_prompt() says of one, without running
// it, what a server with this store would reuse and where it parts from what the store has;
// warming_request() is what computes its beginning ahead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvasir/result.h"
#include "server/prepare.h"
#include "server/prompt_place.h"

namespace kvasir::server {

struct PromptExplanation {
  const char* dialect = "";  // "text": it is no request's body
  int64_t prompt_tokens = 0;
  int64_t seen_tokens = 0;           // that the store has text for
  int64_t reusable_tokens = 0;       // that a session would go on from
  std::optional<PromptPlace> place;  // where the store's text goes on otherwise
  std::string before_place;          // what stands right before that
};

// request: the body of a request of any dialect, or plain text. It counts as one of a caller whose
// cache is not kept apart. Error: a body that a server would refuse. One thread, before anything
// was submitted to the service.
Result<PromptExplanation> explain_prompt(Served& served, const std::string& request,
                                         const std::string& where);

// Computes what comes before all turns, when there is nothing else to do. Error: a body that a
// server would refuse, or one without messages.
Result<ServiceRequest> warming_request(const Served& served, const std::string& request,
                                       const std::string& where);

}  // namespace kvasir::server
