// A RecallDocument is prose with facts strewn in, and questions about these facts. Everything
// follows from the seed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/recall_task.h"
#include "kvasir/result.h"

namespace kvasir::eval {

enum class QuestionKind : uint8_t {
  kStated,   // the document says it once
  kUpdated,  // the document first says something else; the newest counts
  kAbsent,   // the document says nothing of the kind
};
const char* name_of(QuestionKind kind);

struct RecallQuestion {
  std::string text;
  std::string opening;  // words that the answer is made to begin with; may be empty
  std::string answer;   // what is to follow them
  QuestionKind kind = QuestionKind::kStated;
  double depth = 0;  // of the fact that counts, in the part that holds facts: 0 first, 1 last
  int64_t distance_tokens = 0;  // from the end of that fact to the end of the document
};

struct RecallDocument {
  std::string text;
  int64_t token_count = 0;
  std::vector<RecallQuestion> questions;
};

struct RecallDocumentOptions {
  uint64_t seed = 0;
  int64_t length_tokens = 4096;
  int64_t fact_count =
      32;  // every one is asked for; a quarter as many questions more have no answer
  // No fact lies closer to the end than this. Windows of several layers hand things on, so facts
  // closer than some windows could be known without compressed rows.
  int64_t tail_tokens = 1024;
};

// Counts the tokens of a text that follows other text.
using CountTokens = std::function<int64_t(std::string_view text)>;

// Sentences of a text, taken in turn; after the last comes the first. Only full stops end one.
// The end of the sentence that holds `from` or begins there: behind a full stop that a space
// follows, unless that stop ends a short capitalised word such as Mr. The text's end where there is
// no more.
size_t sentence_end(std::string_view text, size_t from);

class Prose {
 public:
  // Error: fewer than two sentences.
  static Result<Prose> create(std::string_view text, std::string_view where);

  const std::string& sentence(int64_t index) const {
    return sentences_[static_cast<size_t>(index % std::ssize(sentences_))];
  }
  int64_t sentence_count() const { return std::ssize(sentences_); }

 private:
  std::vector<std::string> sentences_;
};

// Errors: more facts than the task can tell apart, a length too short for the facts and the tail.
Result<RecallDocument> make_recall_document(const RecallTask& task, const Prose& prose,
                                            const RecallDocumentOptions& options,
                                            const CountTokens& count_tokens);

}  // namespace kvasir::eval
