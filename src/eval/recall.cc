#include "eval/recall.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "eval/recall_entry.h"
#include "kvasir/chat.h"
#include "kvasir/generate.h"

namespace kvasir::eval {
namespace {

constexpr uint64_t kSeedStride = 1'000'003;

std::vector<int64_t> common_prefix_lengths(const std::vector<std::vector<int32_t>>& prompts) {
  std::vector<int64_t> lengths;
  for (const auto& prompt : prompts) {
    const auto differ =
        std::mismatch(prompt.begin(), prompt.end(), prompts[0].begin(), prompts[0].end());
    lengths.push_back(differ.first - prompt.begin());
  }
  return lengths;
}

// The document and the question as one user message, and how the answer begins.
Result<std::vector<int32_t>> prompt_of(const RecallQuestion& question,
                                       const RecallDocument& document, Engine& engine) {
  KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                          encode_chat_prompt(engine, {}, document.text + "\n\n" + question.text));
  if (!question.opening.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const auto opening, engine.encode_with_markers(question.opening));
    ids.insert(ids.end(), opening.begin(), opening.end());
  }
  return ids;
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
  Result<RecallEntry> ask_all(const RecallDocument& document, Engine& engine,
                              const std::function<bool(int64_t)>& step) const;
  Result<std::string> ask(const Session& base, std::span<const int32_t> prompt,
                          Engine& engine) const;

  const RecallTask& task_;
  const Prose& prose_;
  const RecallOptions& options_;
};

Result<RecallDocument> Questionnaire::document(const Piece& piece, Engine& engine) const {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> of_nothing, engine.encode(""));  // BOS, if any
  const auto count_tokens = [&](std::string_view text) -> int64_t {
    const auto ids = engine.encode(text);
    KVASIR_CHECK(ids.ok(), "an engine that was opened with its tokenizer");
    return std::ssize(*ids) - std::ssize(of_nothing);
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

Result<std::string> Questionnaire::ask(const Session& base, std::span<const int32_t> prompt,
                                       Engine& engine) const {
  KVASIR_ASSIGN_OR_RETURN(Session session, base.fork());
  KVASIR_RETURN_IF_ERROR(session.append(prompt.subspan(static_cast<size_t>(base.length()))));
  KVASIR_ASSIGN_OR_RETURN(Generated generated, generate(engine, session,
                                                        {.tokens_max = options_.answer_tokens_max,
                                                         .interrupted = options_.interrupted}));
  return std::move(generated.text);
}

Result<RecallEntry> Questionnaire::ask_all(const RecallDocument& document, Engine& engine,
                                           const std::function<bool(int64_t)>& step) const {
  RecallEntry entry;
  std::vector<std::vector<int32_t>> prompts;
  for (const RecallQuestion& question : document.questions) {
    KVASIR_ASSIGN_OR_RETURN(prompts.emplace_back(), prompt_of(question, document, engine));
  }
  const auto lengths = common_prefix_lengths(prompts);
  const auto shared = static_cast<size_t>(*std::min_element(lengths.begin(), lengths.end()));
  KVASIR_ASSIGN_OR_RETURN(Session base, engine.new_session());
  KVASIR_ASSIGN_OR_RETURN(const int64_t appended, base.append(std::span(prompts[0]).first(shared),
                                                              [&](int64_t done_tokens, int64_t) {
                                                                return step(done_tokens);
                                                              }));
  if (appended < static_cast<int64_t>(shared)) return interrupted();
  entry.kv_bytes = engine.kv_bytes();
  for (size_t i = 0; i < prompts.size(); ++i) {
    KVASIR_ASSIGN_OR_RETURN(std::string answer, ask(base, prompts[i], engine));
    // An answer that was cut short is no answer.
    if (!step(appended)) return interrupted();
    entry.questions.push_back({document.questions[i], std::move(answer)});
  }
  return entry;
}

Result<Json> Questionnaire::measure(const Piece& piece, Engine& engine,
                                    const std::function<bool(int64_t)>& step) const {
  KVASIR_ASSIGN_OR_RETURN(const RecallDocument made, document(piece, engine));
  KVASIR_ASSIGN_OR_RETURN(const RecallEntry entry, ask_all(made, engine, step));
  return to_json(entry);
}

void add(bool is_right, Tally& tally) {
  ++tally.count;
  tally.right += is_right ? 1 : 0;
}

// Adds a document's answers to its cell, and whether they were right to `right`, but for questions
// without an answer.
void add_entry(const RecallEntry& entry, RecallCell& cell, std::vector<bool>& right) {
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
    right.push_back(answered.is_right());
  }
}

// Fills the rows from the log, where every document now is.
Status tally(const RecallOptions& options, const ResultLog& log, std::vector<RecallRow>& rows) {
  for (const int64_t length : options.lengths) {
    std::vector<bool> baseline;
    for (RecallRow& row : rows) {
      RecallCell cell{.length_tokens = length};
      std::vector<bool> right;
      for (int64_t document = 0; document < options.documents_per_length; ++document) {
        const std::string name = Piece{length, document}.name(row.run);
        const Json* logged = log.find(name);
        KVASIR_CHECK(logged != nullptr, "every document has been measured");
        KVASIR_ASSIGN_OR_RETURN(const RecallEntry entry, parse_recall_entry(*logged, name));
        add_entry(entry, cell, right);
      }
      if (&row == rows.data()) {
        baseline = right;
      } else if (right.size() != baseline.size()) {
        return Error{.kind = ErrorKind::kDamaged,
                     .what = "runs of the log have different numbers of questions",
                     .where = row.run.name,
                     .expected = std::to_string(baseline.size()),
                     .found = std::to_string(right.size())};
      } else {
        cell.difference = share_difference(right, baseline);
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

Json recall_settings(const RecallOptions& options) {
  return Json::Object{{"fact_count", options.fact_count},
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
  const Questionnaire questionnaire(task, prose, options);
  KVASIR_RETURN_IF_ERROR(measure_pieces(
      runs, pieces, open_engine, log, progress,
      [&](const Piece& piece, Engine& engine, const std::function<bool(int64_t)>& step) {
        return questionnaire.measure(piece, engine, step);
      }));
  std::vector<RecallRow> rows;
  rows.reserve(runs.size());
  for (const EvalRun& run : runs) rows.push_back({.run = run, .cells = {}});
  KVASIR_RETURN_IF_ERROR(tally(options, log, rows));
  return rows;
}

}  // namespace kvasir::eval
