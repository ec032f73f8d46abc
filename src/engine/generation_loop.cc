#include "engine/generation_loop.h"

#include "base/stopwatch.h"

namespace kvasir {
namespace {

bool is_set(const std::atomic<bool>* flag) {
  return flag != nullptr && flag->load(std::memory_order_relaxed);
}

Result<GenerationPiece> next_piece(Session& session, Generation& generation) {
  if (const std::optional<int32_t> id = generation.wanted()) {
    KVASIR_RETURN_IF_ERROR(session.append({&*id, 1}));
  }
  return generation.step(session.logits(), session.length());
}

}  // namespace

Result<GenerationTimes> run_generation(Session& session, Generation& generation,
                                       const std::atomic<bool>* interrupted,
                                       const PieceSink& on_piece) {
  GenerationTimes times;
  const Stopwatch watch;
  generation.set_prompt(session.tokens());
  // The end of the prompt, and below of the answer, is where a later turn or branch sets in.
  session.mark_resumable();
  while (!generation.is_done()) {
    GenerationPiece piece;
    if (is_set(interrupted)) {
      piece = generation.stop(StopReason::kInterrupted);
    } else {
      KVASIR_ASSIGN_OR_RETURN(piece, next_piece(session, generation));
      if (generation.tokens().size() == 1) times.first_token_ms = watch.elapsed_ms();
    }
    const bool tells = !piece.reasoning.empty() || !piece.answer.empty() || !piece.calls.empty();
    if (tells) on_piece(piece);
  }
  session.mark_resumable();
  times.decode_ms = watch.elapsed_ms();
  return times;
}

}  // namespace kvasir
