#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"
#include "eval/token_comparison.h"

namespace kvasir::eval {
namespace {

// The loss of a window's tokens, each given those before it and a BOS.
Result<double> window_nats(Engine& engine, std::span<const int32_t> inputs,
                           std::span<const int32_t> targets,
                           const std::function<bool(int64_t)>& step) {
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
  const auto vocab = static_cast<size_t>(engine.info().vocab_size);
  double total = 0;
  size_t done = 0;
  KVASIR_RETURN_IF_ERROR(
      session.append_with_logits(inputs, [&](std::span<const float> logits) -> Status {
        for (; !logits.empty(); logits = logits.subspan(vocab)) {
          total += token_nats(logits.first(vocab), targets[done++]);
        }
        if (!step(static_cast<int64_t>(done))) return interrupted();
        return ok_status();
      }));
  return total;
}

// ids: BOS and the whole text.
Result<Json> measure_window(std::span<const int32_t> ids, const Piece& piece, Engine& engine,
                            const std::function<bool(int64_t)>& step) {
  const auto length = static_cast<size_t>(piece.length_tokens);
  const auto begin = static_cast<size_t>(piece.index) * length;
  const auto targets = ids.subspan(begin + 1, length);
  std::vector<int32_t> inputs{ids[0]};
  inputs.insert(inputs.end(), targets.begin(), targets.end() - 1);
  KVASIR_ASSIGN_OR_RETURN(const double total, window_nats(engine, inputs, targets, step));
  if (!std::isfinite(total)) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "a logit that is not finite",
                 .where = "window " + std::to_string(piece.index) + " of " +
                          std::to_string(piece.length_tokens) + " tokens"};
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string decoded, engine.decode(targets));
  return Json(Json::Object{{"nats", total}, {"bytes", static_cast<int64_t>(decoded.size())}});
}

// One entry per window, in order.
struct Windows {
  std::vector<double> nats_per_token;
  double nats = 0;
  double bytes = 0;
};

Result<Windows> collect(const PerplexityCell& cell, const EvalRun& run, const ResultLog& log) {
  Windows windows;
  for (int64_t i = 0; i < cell.window_count; ++i) {
    const Json* entry = log.find(Piece{cell.length_tokens, i}.name(run));
    KVASIR_CHECK(entry != nullptr, "every window has been measured");
    const Json* nats = entry->find("nats");
    const Json* bytes = entry->find("bytes");
    if (nats == nullptr || nats->as_double() == nullptr || bytes == nullptr ||
        bytes->as_integer() == nullptr) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "the log has an entry that is not of this program's making",
                   .where = Piece{cell.length_tokens, i}.name(run)};
    }
    windows.nats += *nats->as_double();
    windows.bytes += static_cast<double>(*bytes->as_integer());
    windows.nats_per_token.push_back(*nats->as_double() / static_cast<double>(cell.length_tokens));
  }
  return windows;
}

Status fill_rows(const std::vector<PerplexityCell>& plan, const ResultLog& log,
                 std::vector<PerplexityRow>& rows) {
  for (const PerplexityCell& planned : plan) {
    std::vector<double> baseline;
    for (PerplexityRow& row : rows) {
      PerplexityCell cell = planned;
      KVASIR_ASSIGN_OR_RETURN(const Windows windows, collect(cell, row.run, log));
      if (&row == rows.data()) baseline = windows.nats_per_token;
      cell.nats_per_token = mean(windows.nats_per_token);
      cell.bits_per_byte = windows.nats / std::log(2.0) / std::max(1.0, windows.bytes);
      cell.difference = mean_difference(windows.nats_per_token, baseline);
      row.cells.push_back(cell);
    }
  }
  return ok_status();
}

// How many windows of each length the text gives.
Result<std::vector<PerplexityCell>> plan_windows(const PerplexityOptions& options,
                                                 int64_t text_tokens) {
  std::vector<PerplexityCell> plan;
  for (const int64_t length : options.lengths) {
    const int64_t count = std::min(text_tokens, options.tokens_per_length_max) / length;
    if (count < 1) {
      const bool is_cut = text_tokens >= length;
      return Error{.kind = ErrorKind::kUsage,
                   .what = "less text than one window",
                   .field = "tokens_per_length_max",
                   .expected = "at least " + std::to_string(length) + " tokens",
                   .found = std::to_string(std::min(text_tokens, options.tokens_per_length_max)),
                   .remedy = is_cut ? "more tokens" : "a longer text, or a shorter window"};
    }
    plan.push_back({.length_tokens = length, .window_count = count, .token_count = count * length});
  }
  return plan;
}

}  // namespace

Json perplexity_settings(const PerplexityOptions& options) {
  return Json::Object{{"tokens_per_length_max", options.tokens_per_length_max}};
}

Result<std::vector<PerplexityRow>> evaluate_perplexity(std::span<const int32_t> ids,
                                                       const PerplexityOptions& options,
                                                       const std::vector<EvalRun>& runs,
                                                       const OpenEngine& open_engine,
                                                       ResultLog& log,
                                                       const EvalProgress& progress) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<PerplexityCell> plan,
                          plan_windows(options, std::ssize(ids) - 1));
  std::vector<Piece> pieces;
  for (const PerplexityCell& cell : plan) {
    for (int64_t i = 0; i < cell.window_count; ++i) pieces.push_back({cell.length_tokens, i});
  }
  KVASIR_RETURN_IF_ERROR(measure_pieces(runs, pieces, open_engine, log, progress,
                                        [&](const EvalRun&, const Piece& piece, Engine& engine,
                                            const std::function<bool(int64_t)>& step) {
                                          return measure_window(ids, piece, engine, step);
                                        }));
  std::vector<PerplexityRow> rows;
  rows.reserve(runs.size());
  for (const EvalRun& run : runs) rows.push_back({.run = run, .cells = {}});
  KVASIR_RETURN_IF_ERROR(fill_rows(plan, log, rows));
  return rows;
}

}  // namespace kvasir::eval
