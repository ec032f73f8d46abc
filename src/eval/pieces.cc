#include "eval/pieces.h"

namespace kvasir::eval {

Status measure_pieces(const std::vector<EvalRun>& runs, const std::vector<Piece>& pieces,
                      const OpenEngine& open_engine, ResultLog& log, const EvalProgress& progress,
                      const MeasurePiece& measure) {
  int64_t total_tokens = 0;
  for (const Piece& piece : pieces) total_tokens += piece.length_tokens * std::ssize(runs);
  int64_t done_tokens = 0;
  const auto step = [&](int64_t tokens_of_piece) {
    return !progress || progress(done_tokens + tokens_of_piece, total_tokens);
  };
  for (const EvalRun& run : runs) {
    std::optional<Engine> engine;
    for (const Piece& piece : pieces) {
      const std::string name = piece.name(run);
      if (log.find(name) == nullptr) {
        if (!engine) {
          KVASIR_ASSIGN_OR_RETURN(engine, open_engine(run));
        }
        KVASIR_ASSIGN_OR_RETURN(Json result, measure(run, piece, *engine, step));
        KVASIR_RETURN_IF_ERROR(log.add(name, std::move(result)));
      }
      done_tokens += piece.length_tokens;
    }
  }
  return ok_status();
}

}  // namespace kvasir::eval
