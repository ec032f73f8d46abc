#include "eval/recall.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "eval/questionnaire.h"
#include "eval/recall_entry.h"

namespace kvasir::eval {
namespace {

void add(bool is_right, Tally& tally) {
  ++tally.count;
  tally.right += is_right ? 1 : 0;
}

// Of the questions with an answer of one run at one length, in order.
struct Answers {
  std::vector<bool> right;
  std::vector<double> kl;  // none in the first run
};

// Adds a document's answers to its cell.
void add_entry(const RecallEntry& entry, RecallCell& cell, Answers& answers) {
  cell.kv_bytes = entry.kv_bytes;
  for (const AnsweredQuestion& answered : entry.questions) {
    const RecallQuestion& question = answered.question;
    if (question.kind == QuestionKind::kAbsent) {
      add(answered.is_right(), cell.absent);
      continue;
    }
    add(answered.is_right(), question.kind == QuestionKind::kUpdated ? cell.updated : cell.stated);
    const auto depth = static_cast<int64_t>(question.depth * kDepthCount);
    add(answered.is_right(), cell.depths[std::min(depth, kDepthCount - 1)]);
    answers.right.push_back(answered.is_right());
    if (answered.kl) answers.kl.push_back(*answered.kl);
  }
}

Error wrong_count(const EvalRun& run, size_t expected, size_t found) {
  return {.kind = ErrorKind::kDamaged,
          .what = "runs of the log have different numbers of questions",
          .where = run.name,
          .expected = std::to_string(expected),
          .found = std::to_string(found)};
}

// Fills the rows from the log, where every document now is.
Status tally(const RecallOptions& options, const ResultLog& log, std::vector<RecallRow>& rows) {
  for (const int64_t length : options.lengths) {
    std::vector<bool> baseline;
    for (RecallRow& row : rows) {
      RecallCell cell{.length_tokens = length};
      Answers answers;
      for (int64_t document = 0; document < options.documents_per_length; ++document) {
        const std::string name = Piece{length, document}.name(row.run);
        const Json* logged = log.find(name);
        KVASIR_CHECK(logged != nullptr, "every document has been measured");
        KVASIR_ASSIGN_OR_RETURN(const RecallEntry entry, parse_recall_entry(*logged, name));
        add_entry(entry, cell, answers);
      }
      if (&row == rows.data()) {
        baseline = answers.right;
      } else {
        for (const size_t count : {answers.right.size(), answers.kl.size()}) {
          if (count != baseline.size()) return wrong_count(row.run, baseline.size(), count);
        }
        cell.difference = share_difference(answers.right, baseline);
        cell.kl = mean(answers.kl);
      }
      row.cells.push_back(cell);
    }
  }
  return ok_status();
}

}  // namespace

Tally RecallCell::answerable() const {
  return {.right = stated.right + updated.right, .count = stated.count + updated.count};
}

Json recall_settings(const RecallOptions& options, const EvalRun& first_run) {
  return Json::Object{{"first_run", first_run.name},
                      {"fact_count", options.fact_count},
                      {"tail_tokens", options.tail_tokens},
                      {"seed", std::to_string(options.seed)},
                      {"answer_tokens_max", options.answer_tokens_max}};
}

Result<std::vector<RecallRow>> evaluate_recall(const RecallTask& task, const Prose& prose,
                                               const RecallOptions& options,
                                               const std::vector<EvalRun>& runs,
                                               const OpenEngine& open_engine, ResultLog& log,
                                               const EvalProgress& progress) {
  std::vector<Piece> pieces;
  for (const int64_t length : options.lengths) {
    for (int64_t document = 0; document < options.documents_per_length; ++document) {
      pieces.push_back({length, document});
    }
  }
  Questionnaire questionnaire(task, prose, options, runs, open_engine);
  KVASIR_RETURN_IF_ERROR(
      measure_pieces(runs, pieces, open_engine, log, progress,
                     [&](const EvalRun& run, const Piece& piece, Engine& engine,
                         const std::function<bool(int64_t)>& step) -> Result<Json> {
                       KVASIR_ASSIGN_OR_RETURN(const RecallEntry entry,
                                               questionnaire.measure(run, piece, engine, step));
                       return to_json(entry);
                     }));
  std::vector<RecallRow> rows;
  rows.reserve(runs.size());
  for (const EvalRun& run : runs) rows.push_back({.run = run, .cells = {}});
  KVASIR_RETURN_IF_ERROR(tally(options, log, rows));
  return rows;
}

}  // namespace kvasir::eval
