#include "eval/questionnaire.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "eval/token_comparison.h"
#include "kvasir/chat.h"
#include "kvasir/generate.h"

namespace kvasir::eval {
namespace {

constexpr uint64_t kSeedStride = 1'000'003;

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

// How many tokens in front all prompts have in common.
size_t shared_tokens(const auto& asked) {
  const auto& first = asked.front().prompt;
  size_t shared = first.size();
  for (const auto& one : asked) {
    const auto differ =
        std::mismatch(one.prompt.begin(), one.prompt.end(), first.begin(), first.end());
    shared = std::min(shared, static_cast<size_t>(differ.first - one.prompt.begin()));
  }
  return shared;
}

// What is predicted of every token of the answer, where all before it were said. [tokens, vocab]
Result<std::vector<float>> predictions(const Session& asked, std::span<const int32_t> answer) {
  std::vector<float> rows(asked.logits().begin(), asked.logits().end());
  KVASIR_ASSIGN_OR_RETURN(Session session, asked.fork());
  KVASIR_RETURN_IF_ERROR(session.append_with_logits(
      answer.first(answer.size() - 1), [&](std::span<const float> logits) -> Status {
        rows.insert(rows.end(), logits.begin(), logits.end());
        return ok_status();
      }));
  if (std::all_of(rows.begin(), rows.end(), [](float logit) { return std::isfinite(logit); })) {
    return rows;
  }
  return Error{.kind = ErrorKind::kDamaged, .what = "a logit that is not finite"};
}

// Nats a token from what `baseline` says of the same answer.
double divergence(const LogitsFile& baseline, int64_t first_row, std::span<const float> logits,
                  std::span<const int32_t> answer) {
  const size_t vocab = logits.size() / answer.size();
  double sum = 0;
  for (size_t i = 0; i < answer.size(); ++i) {
    sum += compare_logits(baseline.row(first_row + static_cast<int64_t>(i)),
                          logits.subspan(i * vocab, vocab), answer[i])
               .kl;
  }
  return sum / static_cast<double>(answer.size());
}

}  // namespace

Result<Questionnaire::Sheet> Questionnaire::sheet_of(const Piece& piece, Engine& engine) const {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> of_nothing, engine.encode(""));  // BOS, if any
  const auto count_tokens = [&](std::string_view text) -> int64_t {
    const auto ids = engine.encode(text);
    KVASIR_CHECK(ids.ok(), "an engine that was opened with its tokenizer");
    return std::ssize(*ids) - std::ssize(of_nothing);
  };
  Sheet sheet;
  KVASIR_ASSIGN_OR_RETURN(
      sheet.document, make_recall_document(task_, prose_,
                                           {.seed = mix_bits(options_.seed * kSeedStride +
                                                             static_cast<uint64_t>(piece.index)) ^
                                                    static_cast<uint64_t>(piece.length_tokens),
                                            .length_tokens = piece.length_tokens,
                                            .fact_count = options_.fact_count,
                                            .tail_tokens = options_.tail_tokens},
                                           count_tokens));
  for (const RecallQuestion& question : sheet.document.questions) {
    Asked& asked = sheet.asked.emplace_back();
    KVASIR_ASSIGN_OR_RETURN(asked.prompt, prompt_of(question, sheet.document, engine));
    const char* before = question.opening.empty() ? "" : " ";
    KVASIR_ASSIGN_OR_RETURN(asked.answer, engine.encode_with_markers(before + question.answer));
    KVASIR_CHECK(!asked.answer.empty(), "an answer that says something");
  }
  return sheet;
}

Result<RecallEntry> Questionnaire::ask_all(const Sheet& sheet, Engine& engine, const Step& step,
                                           const TakeLogits& take) const {
  const size_t shared = shared_tokens(sheet.asked);
  KVASIR_ASSIGN_OR_RETURN(Session base, engine.new_session());
  KVASIR_ASSIGN_OR_RETURN(
      const int64_t appended,
      base.append(std::span(sheet.asked[0].prompt).first(shared),
                  [&](int64_t done_tokens, int64_t) { return step(done_tokens); }));
  if (appended < static_cast<int64_t>(shared)) return interrupted();
  RecallEntry entry{.kv_bytes = engine.kv_bytes()};
  for (size_t i = 0; i < sheet.asked.size(); ++i) {
    const Asked& asked = sheet.asked[i];
    AnsweredQuestion answered{.question = sheet.document.questions[i], .answer = {}};
    KVASIR_ASSIGN_OR_RETURN(Session session, base.fork());
    KVASIR_RETURN_IF_ERROR(session.append(std::span(asked.prompt).subspan(shared)));
    if (take) {
      KVASIR_ASSIGN_OR_RETURN(const auto logits, predictions(session, asked.answer));
      take(logits, asked, answered);
    }
    KVASIR_ASSIGN_OR_RETURN(Generated generated, generate(engine, session,
                                                          {.tokens_max = options_.answer_tokens_max,
                                                           .interrupted = options_.interrupted}));
    // An answer that was cut short is no answer.
    if (!step(appended)) return interrupted();
    answered.answer = std::move(generated.text);
    entry.questions.push_back(std::move(answered));
  }
  return entry;
}

Result<RecallEntry> Questionnaire::ask_first(const Sheet& sheet, const Piece& piece, Engine& engine,
                                             const Step& step) {
  if (runs_.size() == 1) return ask_all(sheet, engine, step, {});
  int64_t token_count = 0;
  for (const Asked& asked : sheet.asked) token_count += std::ssize(asked.answer);
  KVASIR_ASSIGN_OR_RETURN(LogitsFile file, LogitsFile::create(folder_for_large_files(), token_count,
                                                              engine.info().vocab_size));
  int64_t row = 0;
  KVASIR_ASSIGN_OR_RETURN(
      RecallEntry entry,
      ask_all(sheet, engine, step,
              [&](std::span<const float> logits, const Asked& asked, AnsweredQuestion&) {
                const int64_t count = std::ssize(asked.answer);
                std::copy(logits.begin(), logits.end(), file.rows(row, count).begin());
                row += count;
              }));
  kept_.insert_or_assign(piece.name(runs_.front()), std::move(file));
  return entry;
}

Result<const LogitsFile*> Questionnaire::first_logits(const Sheet& sheet, const Piece& piece,
                                                      const Step& step) {
  const std::string name = piece.name(runs_.front());
  if (!kept_.contains(name)) {
    if (!first_engine_) {
      KVASIR_ASSIGN_OR_RETURN(first_engine_, open_engine_(runs_.front()));
    }
    KVASIR_RETURN_IF_ERROR(ask_first(sheet, piece, *first_engine_, step));
  }
  return &kept_.at(name);
}

Result<RecallEntry> Questionnaire::measure(const EvalRun& run, const Piece& piece, Engine& engine,
                                           const Step& step) {
  KVASIR_ASSIGN_OR_RETURN(const Sheet sheet, sheet_of(piece, engine));
  if (run.name == runs_.front().name) return ask_first(sheet, piece, engine, step);
  KVASIR_ASSIGN_OR_RETURN(const LogitsFile* first, first_logits(sheet, piece, step));
  int64_t row = 0;
  return ask_all(
      sheet, engine, step,
      [&](std::span<const float> logits, const Asked& asked, AnsweredQuestion& answered) {
        answered.kl = divergence(*first, row, logits, asked.answer);
        row += std::ssize(asked.answer);
      });
}

}  // namespace kvasir::eval
