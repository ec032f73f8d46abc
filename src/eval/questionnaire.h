// A Questionnaire asks engines about documents. A document is read once, every question is asked
// in a fork of that session, and the right answer is fed to another fork: what the engine predicts
// of its tokens is compared with what the first run's engine predicts.
//
// It refers to all that it is made of. What the first run predicts lies in files without names
// (LogitsFile) while it lives. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/eval_run.h"
#include "eval/logits_file.h"
#include "eval/pieces.h"
#include "eval/recall.h"
#include "eval/recall_entry.h"
#include "kvasir/result.h"

namespace kvasir::eval {

class Questionnaire {
 public:
  Questionnaire(const RecallTask& task, const Prose& prose, const RecallOptions& options,
                const std::vector<EvalRun>& runs, const OpenEngine& open_engine)
      : task_(task), prose_(prose), options_(options), runs_(runs), open_engine_(open_engine) {}

  // The answers about a document, in all but the first run with their divergence. Where a log had
  // the first run's answers already, an engine for that run reads the document once more.
  Result<RecallEntry> measure(const EvalRun& run, const Piece& piece, Engine& engine,
                              const std::function<bool(int64_t)>& step);

 private:
  // A question as it is put, and the tokens of its right answer.
  struct Asked {
    std::vector<int32_t> prompt;
    std::vector<int32_t> answer;
  };
  struct Sheet {
    RecallDocument document;
    std::vector<Asked> asked;  // its questions
  };
  // Takes what is predicted of an answer's tokens. [tokens, vocab]
  using TakeLogits = std::function<void(std::span<const float> logits, const Asked& asked,
                                        AnsweredQuestion& answered)>;
  using Step = std::function<bool(int64_t)>;

  Result<Sheet> sheet_of(const Piece& piece, Engine& engine) const;
  Result<RecallEntry> ask_all(const Sheet& sheet, Engine& engine, const Step& step,
                              const TakeLogits& take) const;
  // Keeps what is predicted where other runs are to be compared with it.
  Result<RecallEntry> ask_first(const Sheet& sheet, const Piece& piece, Engine& engine,
                                const Step& step);
  // What ask_first kept; where it was not called for the document, it is now.
  Result<const LogitsFile*> first_logits(const Sheet& sheet, const Piece& piece, const Step& step);

  const RecallTask& task_;
  const Prose& prose_;
  const RecallOptions& options_;
  const std::vector<EvalRun>& runs_;
  const OpenEngine& open_engine_;
  std::optional<Engine> first_engine_;  // only where the log had the first run's answers
  // By a document's name: rows of all its answers' tokens, one after the other.
  std::map<std::string, LogitsFile> kept_;
};

}  // namespace kvasir::eval
