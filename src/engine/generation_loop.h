// run_token_loop is the sampling loop that plain generation and chat share. One thread.
#pragma once

#include <functional>

#include "kvasir/generate.h"

namespace kvasir {

// A TokenSink is called with each sampled id before it is appended. True ends the loop with that
// reason.
using TokenSink = std::function<bool(int32_t id, StopReason& reason)>;

struct TokenLoopResult {
  std::vector<int32_t> tokens;
  StopReason stop_reason = StopReason::kTokenLimit;
  double first_token_ms = 0;  // from the call
  double decode_ms = 0;
};

// Samples until on_token, an EOS id, the limit or an interruption ends it. The last sampled id is
// not appended. REQUIRES: the session has logits. Errors: an option out of range, logits that are
// not finite, and those of Session::append.
Result<TokenLoopResult> run_token_loop(Engine& engine, Session& session,
                                       const GenerateOptions& options, const TokenSink& on_token);

}  // namespace kvasir
