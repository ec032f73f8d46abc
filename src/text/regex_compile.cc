#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "text/regex.h"
#include "text/regex_reader.h"

// Regex::compile: a parser by recursive descent. Each rule gives the code of its part of the
// expression; since targets are relative, codes are put together by appending.
namespace kvasir::text {
namespace {

using Op = RegexInstruction::Op;
using Code = std::vector<RegexInstruction>;

constexpr int kDepthMax = 24;

int32_t count_of(const Code& code) { return static_cast<int32_t>(code.size()); }

void append(Code& code, const Code& more) { code.insert(code.end(), more.begin(), more.end()); }

// Tries `first`, then `second`.
Code either(const Code& first, const Code& second) {
  Code code = {{.op = Op::kSplit, .first = 1, .second = count_of(first) + 2}};
  append(code, first);
  code.push_back({.op = Op::kJump, .first = count_of(second) + 1});
  append(code, second);
  return code;
}

Code part(Op op, const Code& body) {
  Code code = {{.op = op, .first = count_of(body) + 2}};
  append(code, body);
  code.push_back({.op = Op::kAccept});
  return code;
}

struct Repeat {
  uint32_t min = 1;
  uint32_t max = 1;
  enum class Kind { kGreedy, kLazy, kPossessive } kind = Kind::kGreedy;
};

// The instruction that goes on or leaves a loop: on by `inside`, out by `outside`.
RegexInstruction fork(const Repeat& repeat, int32_t inside, int32_t outside) {
  const bool lazy = repeat.kind == Repeat::Kind::kLazy;
  return {.op = Op::kSplit, .first = lazy ? outside : inside, .second = lazy ? inside : outside};
}

// Calls `take` for each instruction that may read the first character of a match. Returns whether
// the code can match without one.
template <class Take>
bool visit_starts(std::span<const RegexInstruction> code, const Take& take) {
  std::vector<uint8_t> seen(code.size());
  std::vector<size_t> open = {0};
  bool may_be_empty = false;
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    if (at >= code.size() || code[at].op == Op::kAccept) may_be_empty = true;
    if (at >= code.size() || std::exchange(seen[at], 1) != 0) continue;
    const RegexInstruction& instruction = code[at];
    const auto first = at + static_cast<size_t>(instruction.first);
    switch (instruction.op) {
      case Op::kAccept:
        break;
      case Op::kSet:
        take(instruction);
        break;
      case Op::kRun:
        take(instruction);
        if (instruction.min == 0) open.push_back(at + 1);
        break;
      case Op::kSplit:
        open.push_back(at + static_cast<size_t>(instruction.second));
        [[fallthrough]];
      case Op::kJump:
      case Op::kAhead:
      case Op::kNotAhead:
        open.push_back(first);
        break;
      case Op::kAtomic:
        if (visit_starts(code.subspan(at + 1, first - at - 2), take)) open.push_back(first);
        break;
      default:
        open.push_back(at + 1);
    }
  }
  return may_be_empty;
}

bool may_be_empty(std::span<const RegexInstruction> code) {
  return visit_starts(code, [](const RegexInstruction&) {});
}

Code loop(const Code& body, const Repeat& repeat) {
  const bool greedy = repeat.kind == Repeat::Kind::kGreedy;
  if (greedy && body.size() == 1 && body[0].op == Op::kSet) {
    return {{.op = Op::kRun, .set = body[0].set, .min = repeat.min, .max = repeat.max}};
  }
  Code code;
  for (uint32_t i = 0; i < repeat.min; ++i) append(code, body);
  const int32_t size = count_of(body);
  if (repeat.max == Regex::kUnbounded) {
    code.push_back(fork(repeat, 1, size + 2));
    append(code, body);
    code.push_back({.op = Op::kJump, .first = -size - 1});
    return code;
  }
  for (uint32_t left = repeat.max - repeat.min; left > 0; --left) {
    code.push_back(fork(repeat, 1, static_cast<int32_t>(left) * (size + 1)));
    append(code, body);
  }
  return code;
}

class Parser {
 public:
  Parser(std::string_view pattern, std::string_view where) : reader_(pattern, where) {}

  Result<Code> parse() {
    KVASIR_ASSIGN_OR_RETURN(Code code, read_alternatives());
    if (!reader_.at_end()) return reader_.refuse("no closing parenthesis here");
    code.push_back({.op = Op::kAccept});
    return code;
  }
  const std::vector<CodePointSet>& sets() const { return sets_; }

 private:
  Result<Code> read_alternatives();
  Result<Code> read_sequence();
  Result<Code> read_item();
  Result<Code> read_group();
  Result<Code> read_group_body();
  Result<Code> read_part(Op op);
  Result<Code> read_behind(Op op);
  std::optional<Code> take_anchor();
  Result<std::optional<Repeat>> read_repeat();
  std::optional<Repeat> take_braces();
  Result<Code> repeated(const Code& body, const Repeat& repeat);
  Result<Code> set_code(CodePointSet set);

  RegexReader reader_;
  std::vector<CodePointSet> sets_;
  bool ignores_case_ = false;
  int depth_ = 0;
};

Result<Code> Parser::read_alternatives() {
  std::vector<Code> sequences;
  do {
    KVASIR_ASSIGN_OR_RETURN(Code sequence, read_sequence());
    sequences.push_back(std::move(sequence));
  } while (reader_.take("|"));
  Code code = std::move(sequences.back());
  for (size_t i = sequences.size() - 1; i-- > 0;) {
    code = either(sequences[i], code);
    if (code.size() > Regex::kInstructionsMax) return reader_.refuse("a shorter expression");
  }
  return code;
}

Result<Code> Parser::read_sequence() {
  Code code;
  while (!reader_.at_end() && !reader_.sees("|") && !reader_.sees(")")) {
    KVASIR_ASSIGN_OR_RETURN(Code item, read_item());
    for (;;) {
      KVASIR_ASSIGN_OR_RETURN(const std::optional<Repeat> repeat, read_repeat());
      if (!repeat) break;
      KVASIR_ASSIGN_OR_RETURN(item, repeated(item, *repeat));
    }
    append(code, item);
    if (code.size() > Regex::kInstructionsMax) return reader_.refuse("a shorter expression");
  }
  return code;
}

Result<Code> Parser::read_item() {
  if (reader_.take("(")) return read_group();
  if (std::optional<Code> anchor = take_anchor()) return *std::move(anchor);
  if (reader_.sees("[")) {
    KVASIR_ASSIGN_OR_RETURN(CodePointSet set, reader_.read_brackets());
    return set_code(std::move(set));
  }
  if (reader_.sees("\\")) {
    KVASIR_ASSIGN_OR_RETURN(CodePointSet set, reader_.read_escape());
    return set_code(std::move(set));
  }
  if (reader_.take(".")) return set_code(CodePointSet::single('\n').complement());
  for (const std::string_view sign : {"*", "+", "?"}) {
    if (reader_.sees(sign)) return reader_.refuse("something to repeat");
  }
  const uint32_t character = reader_.take_character();
  if (character == kInvalidByte) return reader_.refuse("UTF-8");
  return set_code(CodePointSet::single(character));
}

std::optional<Code> Parser::take_anchor() {
  constexpr std::pair<std::string_view, Op> kAnchors[] = {
      {"^", Op::kLineStart}, {"$", Op::kLineEnd},    {"\\A", Op::kTextStart},
      {"\\z", Op::kTextEnd}, {"\\b", Op::kWordEdge}, {"\\B", Op::kNoWordEdge}};
  for (const auto& [spelling, op] : kAnchors) {
    if (reader_.take(spelling)) return Code{{.op = op}};
  }
  return std::nullopt;
}

Result<Code> Parser::set_code(CodePointSet set) {
  if (ignores_case_) set = set.with_other_case();
  if (const std::optional<uint32_t> character = set.only_member()) {
    return Code{{.op = Op::kSet, .set = *character | RegexInstruction::kSingle}};
  }
  const auto known = std::find(sets_.begin(), sets_.end(), set);
  const auto index = static_cast<uint32_t>(known - sets_.begin());
  if (known == sets_.end()) sets_.push_back(std::move(set));
  if (sets_.size() > Regex::kSetsMax) return reader_.refuse("fewer sets of characters");
  return Code{{.op = Op::kSet, .set = index}};
}

Result<Code> Parser::read_group() {
  if (++depth_ > kDepthMax) return reader_.refuse("fewer groups inside each other");
  const bool outer_case = ignores_case_;
  KVASIR_ASSIGN_OR_RETURN(Code code, read_group_body());
  if (!reader_.take(")")) return reader_.refuse("a closing parenthesis");
  ignores_case_ = outer_case;
  --depth_;
  return code;
}

Result<Code> Parser::read_group_body() {
  if (reader_.take("?=")) return read_part(Op::kAhead);
  if (reader_.take("?!")) return read_part(Op::kNotAhead);
  if (reader_.take("?>")) return read_part(Op::kAtomic);
  if (reader_.take("?<=")) return read_behind(Op::kBehind);
  if (reader_.take("?<!")) return read_behind(Op::kNotBehind);
  if (reader_.take("?i:")) {
    ignores_case_ = true;
  } else if (!reader_.take("?:") && reader_.sees("?")) {
    return reader_.refuse("a known kind of group");
  }
  return read_alternatives();
}

Result<Code> Parser::read_part(Op op) {
  KVASIR_ASSIGN_OR_RETURN(const Code body, read_alternatives());
  return part(op, body);
}

// Looking back is known for one character.
Result<Code> Parser::read_behind(Op op) {
  KVASIR_ASSIGN_OR_RETURN(Code body, read_alternatives());
  if (body.size() != 1 || body[0].op != Op::kSet) {
    return reader_.refuse("one character to look back at");
  }
  body[0].op = op;
  return body;
}

Result<std::optional<Repeat>> Parser::read_repeat() {
  std::optional<Repeat> repeat;
  if (reader_.take("*"))
    repeat = Repeat{0, Regex::kUnbounded};
  else if (reader_.take("+"))
    repeat = Repeat{1, Regex::kUnbounded};
  else if (reader_.take("?"))
    repeat = Repeat{0, 1};
  const bool braced = !repeat;
  if (!repeat) repeat = take_braces();
  if (!repeat) return repeat;
  if (repeat->min > repeat->max) return reader_.refuse("bounds in order");
  // What a sign behind braces means differs from engine to engine.
  if (braced && (reader_.sees("+") || reader_.sees("?"))) return reader_.refuse("no sign here");
  if (reader_.take("?"))
    repeat->kind = Repeat::Kind::kLazy;
  else if (reader_.take("+"))
    repeat->kind = Repeat::Kind::kPossessive;
  return repeat;
}

// {2}, {2,}, {,3}, {2,3}; anything else in braces is text.
std::optional<Repeat> Parser::take_braces() {
  const size_t start = reader_.position();
  if (reader_.take("{")) {
    const std::optional<uint32_t> min = reader_.take_number();
    std::optional<uint32_t> max = min;
    if (reader_.take(",")) {
      max = reader_.take_number();
      if (min && !max) max = Regex::kUnbounded;
    }
    if (max && reader_.take("}")) return Repeat{min.value_or(0), *max};
  }
  reader_.go_back_to(start);
  return std::nullopt;
}

Result<Code> Parser::repeated(const Code& body, const Repeat& repeat) {
  if (repeat.kind == Repeat::Kind::kPossessive) {
    KVASIR_ASSIGN_OR_RETURN(const Code greedy, repeated(body, {repeat.min, repeat.max}));
    return part(Op::kAtomic, greedy);
  }
  const bool unbounded = repeat.max == Regex::kUnbounded;
  // What an empty round ends differs from engine to engine.
  if (repeat.max > 1 && may_be_empty(body)) return reader_.refuse("a loop that moves on");
  const size_t copies = (unbounded ? repeat.min : repeat.max) + size_t{1};
  if (copies * (body.size() + 2) > Regex::kInstructionsMax) {
    return reader_.refuse("fewer repetitions");
  }
  return loop(body, repeat);
}

}  // namespace

Regex::Regex(std::vector<RegexInstruction> code, const std::vector<CodePointSet>& sets)
    : code_(std::move(code)) {
  for (const CodePointSet& set : sets) sets_.emplace_back(set);
  CodePointSet starts;
  const bool may_be_empty = visit_starts(code_, [&](const RegexInstruction& at) {
    const bool is_single = (at.set & RegexInstruction::kSingle) != 0;
    starts = starts |
             (is_single ? CodePointSet::single(at.set & ~RegexInstruction::kSingle) : sets[at.set]);
  });
  if (!may_be_empty) starts_.emplace(starts);
}

Regex Regex::literal(std::string_view text) {
  Code code;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = read_character(text, at);
    at += character.size_bytes;
    code.push_back({.op = Op::kSet, .set = character.code_point | RegexInstruction::kSingle});
  }
  code.push_back({.op = Op::kAccept});
  return Regex(std::move(code), {});
}

Result<Regex> Regex::compile(std::string_view pattern, std::string_view where) {
  if (pattern.size() > kPatternBytesMax) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "a regular expression of the tokenizer is too long",
                 .where = std::string(where),
                 .expected = "at most " + std::to_string(kPatternBytesMax) + " bytes",
                 .found = std::to_string(pattern.size())};
  }
  Parser parser(pattern, where);
  KVASIR_ASSIGN_OR_RETURN(Code code, parser.parse());
  return Regex(std::move(code), parser.sets());
}

}  // namespace kvasir::text
