// run_generation() steps a generation on one session to its end: the loop that generate() and Chat
// share. One thread.
#pragma once

#include <atomic>
#include <functional>

#include "kvasir/engine.h"
#include "kvasir/generation.h"
#include "kvasir/result.h"

namespace kvasir {

// A PieceSink is called with each piece that has a text or a call.
using PieceSink = std::function<void(const GenerationPiece& piece)>;

struct GenerationTimes {
  double first_token_ms = 0;  // from the call
  double decode_ms = 0;
};

// Steps until the generation is done or `interrupted` is set; the last sampled id is not appended.
// The session holds the generation's prompt and has its logits. `interrupted` may be null. Errors:
// those of Generation::step and Session::append.
Result<GenerationTimes> run_generation(Session& session, Generation& generation,
                                       const std::atomic<bool>* interrupted,
                                       const PieceSink& on_piece);

}  // namespace kvasir
