// A PreTokenizer cuts text into pieces, which byte pair encoding then takes one by one. It goes
// through a list of steps; each works inside the pieces of the one before.
//
// A PreTokenizer is immutable, and any number of threads may use it. A PieceCutter works through
// texts for one of them: it keeps its memory from text to text. The PreTokenizer must outlive it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "text/regex.h"

namespace kvasir::text {

// What becomes of the matches of an expression, and of what lies between them.
enum class SplitBehavior {
  kIsolated,    // each is a piece of its own
  kRemoved,     // matches are left out
  kContiguous,  // as kIsolated, but matches that touch are one piece
  kMergedWithPrevious,
  kMergedWithNext,
};

struct SplitStep {
  std::string pattern;
  bool is_literal = false;  // a text, no expression
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool inverted = false;  // what lies between counts as matched, and the matches do not
};

class PreTokenizer {
 public:
  PreTokenizer() = default;  // no steps: the text is one piece
  // Errors: as Regex::compile.
  static Result<PreTokenizer> build(const std::vector<SplitStep>& steps, std::string_view where);

 private:
  friend class PieceCutter;
  struct Step {
    Regex regex;
    SplitBehavior behavior;
    bool inverted;
  };

  std::vector<Step> steps_;
};

class PieceCutter {
 public:
  // Takes a piece, which is never empty.
  using Take = std::function<void(std::string_view)>;

  explicit PieceCutter(const PreTokenizer& pre_tokenizer);

  // The pieces in order. Together they are the text, but for what is to be removed.
  void cut(std::string_view text, const Take& take) { run(0, text, take); }

 private:
  class Joiner;

  void run(size_t step, std::string_view text, const Take& take);

  const std::vector<PreTokenizer::Step>* steps_;
  std::vector<RegexMatcher> matchers_;
};

}  // namespace kvasir::text
