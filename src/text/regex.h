// A Regex is a regular expression of a tokenizer file, as Hugging Face `tokenizers` (Oniguruma)
// reads it: leftmost, first alternative that fits, backtracking. What those files use is known;
// everything else is refused by name when the expression is compiled.
//
// Matching takes steps in proportion to the text for every expression that a mainstream tokenizer
// has. For others the steps are bounded: a RegexMatcher that has used up kStepsPerByte for each
// byte of its text finds nothing more. A Regex is immutable, and any number of threads may use it.
// A RegexMatcher belongs to one thread at a time; the text and the Regex must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "text/code_point_set.h"

namespace kvasir::text {

// One step of a compiled expression. Targets are relative to the instruction.
struct RegexInstruction {
  enum class Op : uint8_t {
    kSet,        // a character of the set
    kRun,        // `min` to `max` characters of the set, as many as there are, then fewer
    kSplit,      // goes on at `first`, and if that fails at `second`
    kJump,       // goes on at `first`
    kAhead,      // goes on at `first` if what stands between matches here
    kNotAhead,   // ... if it does not
    kAtomic,     // goes on at `first`, behind what the one between matched, for good
    kBehind,     // a character of the set stands before
    kNotBehind,  // none does
    kLineStart,
    kLineEnd,
    kTextStart,
    kTextEnd,
    kWordEdge,  // between a word character and another
    kNoWordEdge,
    kAccept,  // the end of the expression, or of a part between
  };
  static constexpr uint32_t kSingle = 1u << 31;

  Op op = Op::kAccept;
  uint32_t set = 0;  // index into the sets; with kSingle, the one character
  int32_t first = 0;
  int32_t second = 0;
  uint32_t min = 0;
  uint32_t max = 0;
};

class Regex {
 public:
  static constexpr size_t kPatternBytesMax = 8192;
  static constexpr size_t kInstructionsMax = 4096;
  static constexpr size_t kSetsMax = 256;
  static constexpr uint32_t kUnbounded = UINT32_MAX;

  // Errors: kUnsupported for syntax that is not known, named with the whole expression.
  static Result<Regex> compile(std::string_view pattern, std::string_view where);
  // The characters of the text as they are.
  static Regex literal(std::string_view text);

 private:
  friend class RegexMatcher;
  Regex(std::vector<RegexInstruction> code, const std::vector<CodePointSet>& sets);

  bool fits(const RegexInstruction& at, uint32_t code_point) const {
    return (at.set & RegexInstruction::kSingle) != 0
               ? code_point == (at.set & ~RegexInstruction::kSingle)
               : sets_[at.set].contains(code_point);
  }

  std::vector<RegexInstruction> code_;
  std::vector<CodePointTable> sets_;
  std::optional<CodePointTable> starts_;  // what a match may start with; null: it may be empty
};

struct RegexMatch {
  size_t start = 0;
  size_t end = 0;
};

class RegexMatcher {
 public:
  static constexpr uint64_t kStepsPerByte = 256;
  static constexpr uint64_t kFreeBytes = 16;  // counted on top, for short texts

  explicit RegexMatcher(const Regex& regex) : regex_(&regex) {}

  // Begins with a text.
  void start(std::string_view text);
  // The next match behind the one before. It may be empty, but not where that one ended.
  std::optional<RegexMatch> next();

 private:
  static constexpr size_t kNone = SIZE_MAX;
  // Where to go on when what was tried fails. position > floor: with one character less first.
  struct Frame {
    size_t instruction;
    size_t position;
    size_t floor;
  };
  struct State {
    size_t instruction;
    size_t position;
  };

  void skip_to_start();
  // The end of the match that starts at `position`, or kNone.
  size_t match(size_t instruction, size_t position);
  bool step(State& state);
  bool step_character(const RegexInstruction& at, State& state);
  bool step_part(const RegexInstruction& at, State& state);
  bool holds(const RegexInstruction& at, size_t position) const;
  bool run(const RegexInstruction& at, State& state);
  bool backtrack(size_t base, State& state);
  bool is_word_at(size_t position) const;
  bool is_in_set_before(const RegexInstruction& at, size_t position) const;

  const Regex* regex_;
  std::string_view text_;
  size_t position_ = 0;
  size_t last_end_ = kNone;
  uint64_t steps_left_ = 0;
  std::vector<Frame> frames_;
};

}  // namespace kvasir::text
