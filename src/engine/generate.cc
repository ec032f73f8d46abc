#include "kvasir/generate.h"

#include "base/check.h"
#include "engine/generation_loop.h"

namespace kvasir {

const char* name_of(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfText:
      return "end_of_text";
    case StopReason::kStopString:
      return "stop_string";
    case StopReason::kTokenLimit:
      return "token_limit";
    case StopReason::kInterrupted:
      return "interrupted";
    case StopReason::kToolCalls:
      return "tool_calls";
  }
  KVASIR_CHECK(false, "a known reason");
}

Result<Generated> generate(Engine& engine, Session& session, const GenerateOptions& options,
                           const TextSink& on_text) {
  KVASIR_ASSIGN_OR_RETURN(Generation generation,
                          Generation::create(engine, options, ReplyKind::kText));
  Generated generated;
  const auto emit = [&](const GenerationPiece& piece) {
    generated.text += piece.answer;
    if (on_text) on_text(piece.answer);
  };
  KVASIR_ASSIGN_OR_RETURN(const GenerationTimes times,
                          run_generation(session, generation, options.interrupted, emit));
  generated.tokens.assign(generation.tokens().begin(), generation.tokens().end());
  generated.stop_reason = generation.stop_reason();
  generated.first_token_ms = times.first_token_ms;
  generated.decode_ms = times.decode_ms;
  return generated;
}

}  // namespace kvasir
