#include "text/pre_tokenizer.h"

#include <utility>

namespace kvasir::text {

Result<PreTokenizer> PreTokenizer::build(const std::vector<SplitStep>& steps,
                                         std::string_view where) {
  PreTokenizer out;
  for (const SplitStep& step : steps) {
    if (step.is_literal) {
      out.steps_.push_back({Regex::literal(step.pattern), step.behavior, step.inverted});
      continue;
    }
    KVASIR_ASSIGN_OR_RETURN(Regex regex, Regex::compile(step.pattern, where));
    out.steps_.push_back({std::move(regex), step.behavior, step.inverted});
  }
  return out;
}

PieceCutter::PieceCutter(const PreTokenizer& pre_tokenizer) : steps_(&pre_tokenizer.steps_) {
  for (const PreTokenizer::Step& step : *steps_) matchers_.emplace_back(step.regex);
}

// Puts stretches of a text together, one after another, as a behaviour asks, and hands on those
// that are complete.
class PieceCutter::Joiner {
 public:
  Joiner(PieceCutter& cutter, size_t step, std::string_view text, const Take& take)
      : cutter_(&cutter), step_(step), text_(text), take_(&take) {}

  // The stretch from the end of the one before to `end`.
  void add(size_t end, bool is_match) {
    const PreTokenizer::Step& step = (*cutter_->steps_)[step_];
    if (step.inverted) is_match = !is_match;
    if (end == end_) return;
    if (!joins(step.behavior, is_match)) flush();
    end_ = end;
    was_match_ = is_match;
    is_removed_ = is_match && step.behavior == SplitBehavior::kRemoved;
  }
  void flush() {
    if (end_ > start_ && !is_removed_) {
      cutter_->run(step_ + 1, text_.substr(start_, end_ - start_), *take_);
    }
    start_ = end_;
  }

 private:
  // Whether what comes belongs to the stretch that is open.
  bool joins(SplitBehavior behavior, bool is_match) const {
    switch (behavior) {
      case SplitBehavior::kContiguous:
        return is_match == was_match_;
      case SplitBehavior::kMergedWithPrevious:
        return is_match && !was_match_;
      case SplitBehavior::kMergedWithNext:
        return !is_match && was_match_;
      default:
        return false;
    }
  }

  PieceCutter* cutter_;
  size_t step_;
  std::string_view text_;
  const Take* take_;
  size_t start_ = 0;
  size_t end_ = 0;
  bool was_match_ = false;
  bool is_removed_ = false;
};

void PieceCutter::run(size_t step, std::string_view text, const Take& take) {
  if (step == matchers_.size()) {
    if (!text.empty()) take(text);
    return;
  }
  RegexMatcher& matcher = matchers_[step];
  matcher.start(text);
  Joiner joiner(*this, step, text, take);
  while (const auto match = matcher.next()) {
    joiner.add(match->start, false);
    joiner.add(match->end, true);
    // An empty match cuts, too.
    if (match->start == match->end) joiner.flush();
  }
  joiner.add(text.size(), false);
  joiner.flush();
}

}  // namespace kvasir::text
