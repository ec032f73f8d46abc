// measure_pieces does the work of an evaluation: runs x lengths x pieces. EvalProgress tells how
// far it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/eval_run.h"
#include "eval/result_log.h"
#include "kvasir/result.h"

namespace kvasir::eval {

// Told the tokens read so far and in all. Returns false to stop.
using EvalProgress = std::function<bool(int64_t done_tokens, int64_t total_tokens)>;

// A Piece is one unit of work: a document or a window.
struct Piece {
  int64_t length_tokens = 0;
  int64_t index = 0;

  std::string name(const EvalRun& run) const {
    return run.name + "/" + std::to_string(length_tokens) + "/" + std::to_string(index);
  }
};

inline Error interrupted() { return Error{.kind = ErrorKind::kInterrupted, .what = "interrupted"}; }

// Measures one piece; `step` takes the tokens of the piece read so far, and false from it means
// stop.
using MeasurePiece =
    std::function<Result<Json>(const EvalRun& run, const Piece& piece, Engine& engine,
                               const std::function<bool(int64_t)>& step)>;

// Measures every piece of every run that the log does not hold yet. An engine is opened only for a
// run with something left to do.
Status measure_pieces(const std::vector<EvalRun>& runs, const std::vector<Piece>& pieces,
                      const OpenEngine& open_engine, ResultLog& log, const EvalProgress& progress,
                      const MeasurePiece& measure);

}  // namespace kvasir::eval
