#include "text/regex.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"

namespace kvasir::text {
namespace {

using Op = RegexInstruction::Op;

size_t target(size_t instruction, int32_t relative) {
  return static_cast<size_t>(static_cast<int64_t>(instruction) + relative);
}

}  // namespace

void RegexMatcher::start(std::string_view text) {
  text_ = text;
  position_ = 0;
  last_end_ = kNone;
  steps_left_ = kStepsPerByte * (kFreeBytes + text.size());
}

std::optional<RegexMatch> RegexMatcher::next() {
  while (position_ <= text_.size()) {
    if (regex_->starts_) skip_to_start();
    const size_t start = position_;
    const size_t end = match(0, start);
    const bool found = end != kNone && !(end == start && end == last_end_);
    if (found && end > start) {
      position_ = last_end_ = end;
      return RegexMatch{start, end};
    }
    position_ += start < text_.size() ? read_character(text_, start).size_bytes : 1;
    if (found) {
      last_end_ = end;
      return RegexMatch{start, end};
    }
  }
  return std::nullopt;
}

void RegexMatcher::skip_to_start() {
  while (position_ < text_.size()) {
    const Utf8Character character = read_character(text_, position_);
    if (regex_->starts_->contains(character.code_point)) return;
    position_ += character.size_bytes;
  }
}

size_t RegexMatcher::match(size_t instruction, size_t position) {
  const size_t base = frames_.size();
  State state{instruction, position};
  while (steps_left_ > 0) {
    --steps_left_;
    if (regex_->code_[state.instruction].op == Op::kAccept) {
      frames_.resize(base);
      return state.position;
    }
    if (!step(state) && !backtrack(base, state)) return kNone;
  }
  frames_.resize(base);
  return kNone;
}

bool RegexMatcher::backtrack(size_t base, State& state) {
  if (frames_.size() == base) return false;
  Frame& frame = frames_.back();
  state.instruction = frame.instruction;
  if (frame.position > frame.floor) {
    frame.position = character_start_before(text_, frame.position);
  }
  state.position = frame.position;
  if (frame.position <= frame.floor) frames_.pop_back();
  return true;
}

// Moves on, or says that this way leads nowhere.
bool RegexMatcher::step(State& state) {
  const RegexInstruction& at = regex_->code_[state.instruction];
  switch (at.op) {
    case Op::kSet:
      return step_character(at, state);
    case Op::kRun:
      return run(at, state);
    case Op::kSplit:
      frames_.push_back({target(state.instruction, at.second), state.position, state.position});
      [[fallthrough]];
    case Op::kJump:
      state.instruction = target(state.instruction, at.first);
      return true;
    case Op::kAhead:
    case Op::kNotAhead:
    case Op::kAtomic:
      return step_part(at, state);
    default:
      ++state.instruction;
      return holds(at, state.position);
  }
}

bool RegexMatcher::step_character(const RegexInstruction& at, State& state) {
  if (state.position >= text_.size()) return false;
  const Utf8Character character = read_character(text_, state.position);
  if (!regex_->fits(at, character.code_point)) return false;
  state.position += character.size_bytes;
  ++state.instruction;
  return true;
}

bool RegexMatcher::run(const RegexInstruction& at, State& state) {
  size_t position = state.position;
  size_t floor = position;
  uint32_t count = 0;
  while (count < at.max && position < text_.size()) {
    const Utf8Character character = read_character(text_, position);
    if (!regex_->fits(at, character.code_point)) break;
    position += character.size_bytes;
    if (++count <= at.min) floor = position;
  }
  steps_left_ -= std::min<uint64_t>(steps_left_, count);
  if (count < at.min) return false;
  ++state.instruction;
  if (position > floor) frames_.push_back({state.instruction, position, floor});
  state.position = position;
  return true;
}

bool RegexMatcher::step_part(const RegexInstruction& at, State& state) {
  const size_t end = match(state.instruction + 1, state.position);
  if ((end != kNone) == (at.op == Op::kNotAhead)) return false;
  if (at.op == Op::kAtomic) state.position = end;
  state.instruction = target(state.instruction, at.first);
  return true;
}

bool RegexMatcher::holds(const RegexInstruction& at, size_t position) const {
  switch (at.op) {
    case Op::kBehind:
      return is_in_set_before(at, position);
    case Op::kNotBehind:
      return !is_in_set_before(at, position);
    case Op::kLineStart:
      return position == 0 || (position < text_.size() && text_[position - 1] == '\n');
    case Op::kLineEnd:
      return position == text_.size() || text_[position] == '\n';
    case Op::kTextStart:
      return position == 0;
    case Op::kTextEnd:
      return position == text_.size();
    case Op::kWordEdge:
    case Op::kNoWordEdge: {
      const bool before = position > 0 && is_word_at(character_start_before(text_, position));
      return (before != is_word_at(position)) == (at.op == Op::kWordEdge);
    }
    default:
      KVASIR_CHECK(false, "no condition");
  }
}

bool RegexMatcher::is_in_set_before(const RegexInstruction& at, size_t position) const {
  if (position == 0) return false;
  const size_t start = character_start_before(text_, position);
  return regex_->fits(at, read_character(text_, start).code_point);
}

bool RegexMatcher::is_word_at(size_t position) const {
  static const CodePointTable kWord(CodePointSet::word());
  return position < text_.size() && kWord.contains(read_character(text_, position).code_point);
}

}  // namespace kvasir::text
