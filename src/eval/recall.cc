#include "eval/recall.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"
#include "kvasir/chat.h"
#include "kvasir/generate.h"

namespace kvasir::eval {
namespace {

constexpr uint64_t kSeedStride = 1'000'003;

// What one document gave: for each question, whether the answer was right.
struct DocumentResult {
  std::vector<RecallQuestion> questions;
  std::vector<bool> right;
  int64_t kv_bytes = 0;
};

std::vector<int64_t> common_prefix_lengths(const std::vector<std::vector<int32_t>>& prompts) {
  std::vector<int64_t> lengths;
  for (const auto& prompt : prompts) {
    const auto differ =
        std::mismatch(prompt.begin(), prompt.end(), prompts[0].begin(), prompts[0].end());
    lengths.push_back(differ.first - prompt.begin());
  }
  return lengths;
}

// Everything about a document but the run it is read in.
class Questionnaire {
 public:
  Questionnaire(const RecallTask& task, const Prose& prose, const RecallOptions& options)
      : task_(task), prose_(prose), options_(options) {}

  Result<Json> measure(const Piece& piece, Engine& engine,
                       const std::function<bool(int64_t)>& step) const;

 private:
  Result<RecallDocument> document(const Piece& piece, Engine& engine) const;
  Result<DocumentResult> ask_all(const RecallDocument& document, Engine& engine,
                                 const std::function<bool(int64_t)>& step) const;
  Result<bool> ask(const RecallQuestion& question, const Session& base,
                   std::span<const int32_t> prompt, Engine& engine) const;

  const RecallTask& task_;
  const Prose& prose_;
  const RecallOptions& options_;
};

Result<RecallDocument> Questionnaire::document(const Piece& piece, Engine& engine) const {
  const auto count_tokens = [&](std::string_view text) -> int64_t {
    const auto ids = engine.encode(text);
    KVASIR_CHECK(ids.ok(), "an engine that was opened with its tokenizer");
    return std::ssize(*ids) - 1;  // without BOS
  };
  return make_recall_document(
      task_, prose_,
      {.seed = mix_bits(options_.seed * kSeedStride + static_cast<uint64_t>(piece.index)) ^
               static_cast<uint64_t>(piece.length_tokens),
       .length_tokens = piece.length_tokens,
       .fact_count = options_.fact_count,
       .tail_tokens = options_.tail_tokens},
      count_tokens);
}

Result<bool> Questionnaire::ask(const RecallQuestion& question, const Session& base,
                                std::span<const int32_t> prompt, Engine& engine) const {
  KVASIR_ASSIGN_OR_RETURN(Session session, base.fork());
  KVASIR_RETURN_IF_ERROR(session.append(prompt.subspan(static_cast<size_t>(base.length()))));
  KVASIR_ASSIGN_OR_RETURN(const Generated generated,
                          generate(engine, session, {.tokens_max = options_.answer_tokens_max}));
  return generated.text == question.answer;
}

Result<DocumentResult> Questionnaire::ask_all(const RecallDocument& document, Engine& engine,
                                              const std::function<bool(int64_t)>& step) const {
  DocumentResult result{.questions = document.questions};
  std::vector<std::vector<int32_t>> prompts;
  for (const RecallQuestion& question : document.questions) {
    KVASIR_ASSIGN_OR_RETURN(prompts.emplace_back(),
                            encode_chat_prompt(engine, {}, document.text + "\n\n" + question.text));
  }
  const auto lengths = common_prefix_lengths(prompts);
  const auto shared = static_cast<size_t>(*std::min_element(lengths.begin(), lengths.end()));
  KVASIR_ASSIGN_OR_RETURN(Session base, engine.new_session());
  KVASIR_ASSIGN_OR_RETURN(const int64_t appended, base.append(std::span(prompts[0]).first(shared),
                                                              [&](int64_t done_tokens, int64_t) {
                                                                return step(done_tokens);
                                                              }));
  if (appended < static_cast<int64_t>(shared)) return interrupted();
  result.kv_bytes = engine.kv_bytes();
  for (size_t i = 0; i < prompts.size(); ++i) {
    KVASIR_ASSIGN_OR_RETURN(const bool right, ask(document.questions[i], base, prompts[i], engine));
    result.right.push_back(right);
    if (!step(appended)) return interrupted();
  }
  return result;
}

Json to_json(const DocumentResult& result) {
  Json::Array questions;
  for (size_t i = 0; i < result.questions.size(); ++i) {
    const RecallQuestion& question = result.questions[i];
    questions.push_back(Json::Object{
        {"kind", name_of(question.kind)}, {"depth", question.depth}, {"right", result.right[i]}});
  }
  return Json::Object{{"questions", std::move(questions)}, {"kv_bytes", result.kv_bytes}};
}

Result<Json> Questionnaire::measure(const Piece& piece, Engine& engine,
                                    const std::function<bool(int64_t)>& step) const {
  KVASIR_ASSIGN_OR_RETURN(const RecallDocument made, document(piece, engine));
  KVASIR_ASSIGN_OR_RETURN(const DocumentResult result, ask_all(made, engine, step));
  return to_json(result);
}

// Adds a document's entry of the log to its cell; 1 or 0 for each answerable question.
Result<std::vector<double>> add_entry(const Json& entry, RecallCell& cell) {
  const Error damaged{.what = "the log has an entry that is not of this program's making"};
  const Json* questions = entry.find("questions");
  const Json* kv_bytes = entry.find("kv_bytes");
  if (questions == nullptr || questions->as_array() == nullptr || kv_bytes == nullptr ||
      kv_bytes->as_integer() == nullptr) {
    return damaged;
  }
  cell.kv_bytes = *kv_bytes->as_integer();
  std::vector<double> answers;
  for (const Json& question : *questions->as_array()) {
    const Json* kind = question.find("kind");
    const Json* depth = question.find("depth");
    const Json* right = question.find("right");
    if (kind == nullptr || kind->as_string() == nullptr || depth == nullptr || right == nullptr ||
        right->as_bool() == nullptr) {
      return damaged;
    }
    const auto add = [&](Tally& tally) {
      ++tally.count;
      tally.right += *right->as_bool() ? 1 : 0;
    };
    if (*kind->as_string() == name_of(QuestionKind::kAbsent)) {
      add(cell.absent);
      continue;
    }
    add(*kind->as_string() == name_of(QuestionKind::kUpdated) ? cell.updated : cell.stated);
    const double place = depth->as_double() != nullptr ? *depth->as_double() : 0;
    add(cell.depths[std::clamp<int64_t>(static_cast<int64_t>(place * kDepthCount), 0,
                                        kDepthCount - 1)]);
    answers.push_back(*right->as_bool() ? 1 : 0);
  }
  return answers;
}

// Fills the rows from the log, where every document now is.
Status tally(const RecallOptions& options, const ResultLog& log, std::vector<RecallRow>& rows) {
  for (const int64_t length : options.lengths) {
    std::vector<double> baseline;
    for (RecallRow& row : rows) {
      RecallCell cell{.length_tokens = length};
      std::vector<double> answers;
      for (int64_t document = 0; document < options.documents_per_length; ++document) {
        const Json* entry = log.find(Piece{length, document}.name(row.run));
        KVASIR_CHECK(entry != nullptr, "every document has been measured");
        KVASIR_ASSIGN_OR_RETURN(const std::vector<double> more, add_entry(*entry, cell));
        answers.insert(answers.end(), more.begin(), more.end());
      }
      if (&row == rows.data()) baseline = answers;
      cell.difference = mean_difference(answers, baseline);
      row.cells.push_back(std::move(cell));
    }
  }
  return ok_status();
}

}  // namespace

Tally RecallCell::answerable() const {
  return {.right = stated.right + updated.right, .count = stated.count + updated.count};
}

Json recall_settings(const RecallOptions& options) {
  return Json::Object{{"fact_count", options.fact_count},
                      {"tail_tokens", options.tail_tokens},
                      {"seed", static_cast<int64_t>(options.seed)},
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
  const Questionnaire questionnaire(task, prose, options);
  KVASIR_RETURN_IF_ERROR(measure_pieces(
      runs, pieces, open_engine, log, progress,
      [&](const Piece& piece, Engine& engine, const std::function<bool(int64_t)>& step) {
        return questionnaire.measure(piece, engine, step);
      }));
  std::vector<RecallRow> rows;
  for (const EvalRun& run : runs) rows.push_back({.run = run, .cells = {}});
  KVASIR_RETURN_IF_ERROR(tally(options, log, rows));
  return rows;
}

}  // namespace kvasir::eval
