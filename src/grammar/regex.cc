#include "grammar/regex.h"

#include <optional>
#include <utility>
#include <vector>

#include "grammar/regex_sets.h"

namespace kvasir::grammar {
namespace {

constexpr size_t kPatternBytesMax = 16'384;
constexpr int kDepthMax = 64;
constexpr int64_t kTimesMax = 100'000;

class RegexParser {
 public:
  RegexParser(Builder& builder, std::string_view pattern, const RegexOptions& options)
      : builder_(builder), options_(options), sets_(pattern) {}

  Result<NodeId> parse() {
    KVASIR_ASSIGN_OR_RETURN(const NodeId all, parse_choice());
    if (!sets_.at_end()) return sets_.refuse("no closing parenthesis without an opening one");
    return all;
  }

 private:
  struct Times {
    int64_t min = 1;
    int64_t max = 1;
  };

  Result<NodeId> parse_choice();
  Result<NodeId> parse_branch();
  Result<NodeId> parse_part();
  Result<NodeId> parse_atom();
  Result<NodeId> parse_group();
  Result<std::optional<Times>> parse_quantifier();
  Result<Times> parse_bounds();
  NodeId write(const CharacterSet& set) const { return (set.*options_.write)(builder_); }
  bool is_at_top() const { return depth_ == 0; }
  // At the top, an end of the text that the pattern does not name.
  NodeId open_end() const {
    if (options_.is_anchored) return builder_.empty();
    return builder_.repeat(options_.any_character, 0, Builder::kNoMax);
  }

  Builder& builder_;
  const RegexOptions& options_;
  RegexSets sets_;
  int depth_ = 0;
};

Result<NodeId> RegexParser::parse_choice() {
  std::vector<NodeId> branches;
  do {
    KVASIR_ASSIGN_OR_RETURN(const NodeId branch, parse_branch());
    branches.push_back(branch);
  } while (sets_.take("|"));
  return builder_.choice(std::move(branches));
}

Result<NodeId> RegexParser::parse_branch() {
  std::vector<NodeId> parts;
  if (is_at_top()) parts.push_back(sets_.take("^") ? builder_.empty() : open_end());
  bool has_end = false;
  while (!sets_.at_end() && !sets_.sees("|") && !sets_.sees(")") && !has_end) {
    has_end = is_at_top() && sets_.take("$");
    if (has_end) break;
    KVASIR_ASSIGN_OR_RETURN(const NodeId part, parse_part());
    parts.push_back(part);
  }
  if (has_end && !sets_.at_end() && !sets_.sees("|")) return sets_.refuse("nothing behind $");
  if (is_at_top() && !has_end) parts.push_back(open_end());
  return builder_.sequence(std::move(parts));
}

Result<NodeId> RegexParser::parse_part() {
  KVASIR_ASSIGN_OR_RETURN(NodeId part, parse_atom());
  for (int count = 0;; ++count) {
    KVASIR_ASSIGN_OR_RETURN(const std::optional<Times> times, parse_quantifier());
    if (!times) return part;
    if (count > 0) return sets_.refuse("one quantifier");
    part = builder_.repeat(part, times->min, times->max);
    sets_.take("?");
  }
}

Result<NodeId> RegexParser::parse_atom() {
  if (sets_.sees("(")) return parse_group();
  if (sets_.sees("[")) {
    KVASIR_ASSIGN_OR_RETURN(const CharacterSet set, sets_.read_brackets());
    return write(set);
  }
  if (sets_.sees("\\")) {
    KVASIR_ASSIGN_OR_RETURN(const CharacterSet set, sets_.read_escape());
    return write(set);
  }
  for (const char* sign : {"*", "+", "?", "{", "^", "$"}) {
    if (sets_.sees(sign)) return sets_.refuse("something that may stand here; \\ before a sign");
  }
  if (sets_.take(".")) {
    CharacterSet ends = CharacterSet::single('\n');
    ends.add(CharacterSet::single('\r'));
    return write(ends.complement());
  }
  KVASIR_ASSIGN_OR_RETURN(const uint32_t character, sets_.take_character());
  return write(CharacterSet::single(character));
}

Result<NodeId> RegexParser::parse_group() {
  sets_.take("(");
  if (sets_.take("?") && !sets_.take(":")) {
    sets_.take("P");
    if (!sets_.take("<") || sets_.sees("=") || sets_.sees("!")) {
      return sets_.refuse("no look-around, flags or conditions");
    }
    while (!sets_.at_end() && !sets_.sees(">")) {
      KVASIR_RETURN_IF_ERROR(sets_.take_character());
    }
    if (!sets_.take(">")) return sets_.refuse("the end of a name");
  }
  if (++depth_ > kDepthMax) return sets_.refuse("fewer groups inside each other");
  KVASIR_ASSIGN_OR_RETURN(const NodeId inside, parse_choice());
  --depth_;
  if (!sets_.take(")")) return sets_.refuse("a closing parenthesis");
  return inside;
}

Result<std::optional<RegexParser::Times>> RegexParser::parse_quantifier() {
  if (sets_.take("*")) return std::optional(Times{0, Builder::kNoMax});
  if (sets_.take("+")) return std::optional(Times{1, Builder::kNoMax});
  if (sets_.take("?")) return std::optional(Times{0, 1});
  if (!sets_.take("{")) return std::optional<Times>();
  KVASIR_ASSIGN_OR_RETURN(const Times times, parse_bounds());
  return std::optional(times);
}

Result<RegexParser::Times> RegexParser::parse_bounds() {
  Times times;
  const std::optional<int64_t> min = sets_.take_number();
  times.min = min.value_or(0);
  times.max = times.min;
  if (sets_.take(",")) times.max = sets_.take_number().value_or(Builder::kNoMax);
  if (!sets_.take("}") || (!min && times.max == Builder::kNoMax)) {
    return sets_.refuse("bounds such as {2} or {2,5}");
  }
  if (times.max != Builder::kNoMax && times.max < times.min) return sets_.refuse("bounds in order");
  if (std::max(times.min, times.max) > kTimesMax) return sets_.refuse("smaller bounds");
  return times;
}

}  // namespace

Result<NodeId> read_regex(Builder& builder, std::string_view pattern, const RegexOptions& options) {
  if (pattern.size() > kPatternBytesMax) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the regular expression is too long",
                 .expected = "at most " + std::to_string(kPatternBytesMax) + " bytes",
                 .found = std::to_string(pattern.size())};
  }
  return RegexParser(builder, pattern, options).parse();
}

}  // namespace kvasir::grammar
