#include "grammar/regex_sets.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"

namespace kvasir::grammar {
namespace {

CharacterSet digits() { return CharacterSet::range('0', '9'); }

CharacterSet word() {
  CharacterSet set = digits();
  set.add(CharacterSet::range('a', 'z'));
  set.add(CharacterSet::range('A', 'Z'));
  set.add(CharacterSet::single('_'));
  return set;
}

CharacterSet white_space() {
  CharacterSet set = CharacterSet::range('\t', '\r');
  set.add(CharacterSet::single(' '));
  return set;
}

// Of an escape by one letter.
std::optional<CharacterSet> class_of(uint32_t letter) {
  switch (letter) {
    case 'd':
      return digits();
    case 'D':
      return digits().complement();
    case 'w':
      return word();
    case 'W':
      return word().complement();
    case 's':
      return white_space();
    case 'S':
      return white_space().complement();
    default:
      return std::nullopt;
  }
}

std::optional<uint32_t> character_of_escape(uint32_t letter) {
  constexpr std::string_view kLetters = "rntfv";
  constexpr std::string_view kMeanings = "\r\n\t\f\v";
  if (letter >= 0x80) return std::nullopt;
  const size_t at = kLetters.find(static_cast<char>(letter));
  if (at != std::string_view::npos) return static_cast<uint32_t>(kMeanings[at]);
  if (word().contains(letter) && letter != '_') return std::nullopt;
  return letter;
}

}  // namespace

Error RegexSets::refuse(std::string expected) const {
  return Error{.kind = ErrorKind::kUsage,
               .what = "the regular expression cannot be followed",
               .offset = position_,
               .expected = std::move(expected)};
}

bool RegexSets::take(std::string_view text) {
  if (!sees(text)) return false;
  position_ += text.size();
  return true;
}

std::optional<int64_t> RegexSets::take_number() {
  uint32_t number = 0;
  const char* const first = pattern_.data() + position_;
  const auto [end, failure] = std::from_chars(first, pattern_.data() + pattern_.size(), number);
  if (failure != std::errc()) return std::nullopt;
  position_ += static_cast<size_t>(end - first);
  return number;
}

Result<uint32_t> RegexSets::take_character() {
  const Utf8Character character = read_character(pattern_, position_);
  if (character.code_point == kInvalidByte) return refuse("UTF-8");
  position_ += character.size_bytes;
  return character.code_point;
}

Result<CharacterSet> RegexSets::read_escape() {
  take("\\");
  if (at_end()) return refuse("something behind a backslash");
  KVASIR_ASSIGN_OR_RETURN(const uint32_t letter, take_character());
  if (std::optional<CharacterSet> named = class_of(letter)) return *named;
  if (letter == 'x' || letter == 'u') {
    KVASIR_ASSIGN_OR_RETURN(const uint32_t character, read_hex(letter));
    return CharacterSet::single(character);
  }
  const std::optional<uint32_t> character = character_of_escape(letter);
  if (!character) return refuse("no \\b, \\1, \\p and the like");
  return CharacterSet::single(*character);
}

Result<uint32_t> RegexSets::read_hex(uint32_t letter) {
  const bool is_braced = take("{");
  const size_t digits_max = is_braced ? 6 : letter == 'x' ? 2 : 4;
  uint32_t number = 0;
  const char* const first = pattern_.data() + position_;
  const char* const last = first + std::min(digits_max, pattern_.size() - position_);
  const auto [end, failure] = std::from_chars(first, last, number, 16);
  const bool is_whole = is_braced || end == first + digits_max;
  if (failure != std::errc() || !is_whole || !CharacterSet::all().contains(number)) {
    return refuse("the digits of a character");
  }
  position_ += static_cast<size_t>(end - first);
  if (is_braced && !take("}")) return refuse("a closing brace");
  return number;
}

Result<CharacterSet> RegexSets::read_brackets() {
  take("[");
  const bool is_negated = take("^");
  CharacterSet set;
  // A bracket that closes at once is a member, as everywhere but in JavaScript.
  for (bool is_first = true; is_first || !sees("]"); is_first = false) {
    if (at_end()) return refuse("a closing bracket");
    if (sees("[:")) return refuse("no named class");
    KVASIR_ASSIGN_OR_RETURN(const CharacterSet part, read_range());
    set.add(part);
  }
  take("]");
  return is_negated ? set.complement() : set;
}

// A member, or two with a dash between. A dash before the closing bracket is one itself.
Result<CharacterSet> RegexSets::read_range() {
  std::optional<uint32_t> first;
  KVASIR_ASSIGN_OR_RETURN(CharacterSet set, read_member(first));
  if (!first || !sees("-") || sees("-]")) return set;
  take("-");
  std::optional<uint32_t> last;
  if (at_end()) return refuse("the end of a range");
  KVASIR_RETURN_IF_ERROR(read_member(last));
  if (!last || *last < *first) return refuse("a range in order");
  return CharacterSet::range(*first, *last);
}

Result<CharacterSet> RegexSets::read_member(std::optional<uint32_t>& single) {
  if (!sees("\\")) {
    KVASIR_ASSIGN_OR_RETURN(single, take_character());
    return CharacterSet::single(*single);
  }
  // Inside brackets it is the backspace.
  if (take("\\b")) {
    single = '\b';
    return CharacterSet::single('\b');
  }
  KVASIR_ASSIGN_OR_RETURN(CharacterSet set, read_escape());
  single = set.only_member();
  return set;
}

}  // namespace kvasir::grammar
