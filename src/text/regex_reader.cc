#include "text/regex_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/utf8.h"

namespace kvasir::text {
namespace {

constexpr uint32_t kNumberMax = 1000;

constexpr uint32_t bits(GeneralCategory first, GeneralCategory last) {
  return (2u << static_cast<uint32_t>(last)) - (1u << static_cast<uint32_t>(first));
}

struct Property {
  std::string_view name;
  uint32_t categories;
};
using C = GeneralCategory;
constexpr auto kProperties = std::to_array<Property>({
    {"L", bits(C::kLu, C::kLo)},      {"Letter", bits(C::kLu, C::kLo)},
    {"Lu", bits(C::kLu, C::kLu)},     {"Ll", bits(C::kLl, C::kLl)},
    {"Lt", bits(C::kLt, C::kLt)},     {"Lm", bits(C::kLm, C::kLm)},
    {"Lo", bits(C::kLo, C::kLo)},     {"M", bits(C::kMn, C::kMe)},
    {"Mn", bits(C::kMn, C::kMn)},     {"Mc", bits(C::kMc, C::kMc)},
    {"Me", bits(C::kMe, C::kMe)},     {"N", bits(C::kNd, C::kNo)},
    {"Number", bits(C::kNd, C::kNo)}, {"Nd", bits(C::kNd, C::kNd)},
    {"Nl", bits(C::kNl, C::kNl)},     {"No", bits(C::kNo, C::kNo)},
    {"P", bits(C::kPc, C::kPo)},      {"Pc", bits(C::kPc, C::kPc)},
    {"Pd", bits(C::kPd, C::kPd)},     {"Ps", bits(C::kPs, C::kPs)},
    {"Pe", bits(C::kPe, C::kPe)},     {"Pi", bits(C::kPi, C::kPi)},
    {"Pf", bits(C::kPf, C::kPf)},     {"Po", bits(C::kPo, C::kPo)},
    {"S", bits(C::kSm, C::kSo)},      {"Sm", bits(C::kSm, C::kSm)},
    {"Sc", bits(C::kSc, C::kSc)},     {"Sk", bits(C::kSk, C::kSk)},
    {"So", bits(C::kSo, C::kSo)},     {"Cf", bits(C::kCf, C::kCf)},
});

// Of an escape by one letter.
std::optional<CodePointSet> class_of(uint32_t letter) {
  constexpr uint32_t kDigits = bits(C::kNd, C::kNd);
  switch (letter) {
    case 's':
      return CodePointSet::white_space();
    case 'S':
      return CodePointSet::white_space().complement();
    case 'd':
      return CodePointSet::of_categories(kDigits);
    case 'D':
      return CodePointSet::of_categories(kDigits).complement();
    case 'w':
      return CodePointSet::word();
    case 'W':
      return CodePointSet::word().complement();
    default:
      return std::nullopt;
  }
}

std::optional<uint32_t> character_of_escape(uint32_t letter) {
  constexpr std::string_view kLetters = "rntfvae";
  constexpr std::string_view kMeanings = "\r\n\t\f\v\a\x1B";
  if (letter >= 0x80) return std::nullopt;
  const size_t at = kLetters.find(static_cast<char>(letter));
  if (at != std::string_view::npos) return static_cast<uint32_t>(kMeanings[at]);
  const bool is_plain = (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
                        (letter >= 'a' && letter <= 'z');
  if (is_plain) return std::nullopt;
  return letter;
}

}  // namespace

Error RegexReader::refuse(std::string what) const {
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "a regular expression of the tokenizer is not supported",
               .where = std::string(where_),
               .offset = position_,
               .expected = std::move(what),
               .found = std::string(pattern_)};
}

bool RegexReader::take(std::string_view text) {
  if (!sees(text)) return false;
  position_ += text.size();
  return true;
}

uint32_t RegexReader::take_character() {
  const Utf8Character character = read_character(pattern_, position_);
  position_ += character.size_bytes;
  return character.code_point;
}

std::optional<uint32_t> RegexReader::take_number() {
  uint32_t number = 0;
  const char* first = pattern_.data() + position_;
  const auto [end, failure] = std::from_chars(first, pattern_.data() + pattern_.size(), number);
  if (failure != std::errc() || number > kNumberMax) return std::nullopt;
  position_ += static_cast<size_t>(end - first);
  return number;
}

Result<CodePointSet> RegexReader::read_escape() {
  take("\\");
  if (at_end()) return refuse("something behind a backslash");
  const uint32_t letter = take_character();
  if (letter == 'p' || letter == 'P') return read_property(letter == 'P');
  if (std::optional<CodePointSet> named = class_of(letter)) return *named;
  if (letter == 'x' || letter == 'u') {
    const bool braced = letter == 'x' && take("{");
    KVASIR_ASSIGN_OR_RETURN(const uint32_t c, read_hex(braced ? 6 : letter == 'x' ? 2 : 4));
    if (braced && !take("}")) return refuse("a closing brace");
    return CodePointSet::single(c);
  }
  const std::optional<uint32_t> character = character_of_escape(letter);
  if (!character) return refuse("a known escape");
  return CodePointSet::single(*character);
}

Result<uint32_t> RegexReader::read_hex(size_t digits_max) {
  uint32_t number = 0;
  const char* first = pattern_.data() + position_;
  const char* last = first + std::min(digits_max, pattern_.size() - position_);
  const auto [end, failure] = std::from_chars(first, last, number, 16);
  if (failure != std::errc() || number >= kInvalidByte) return refuse("a code point");
  position_ += static_cast<size_t>(end - first);
  return number;
}

Result<CodePointSet> RegexReader::read_property(bool negated) {
  if (!take("{")) return refuse("a property in braces");
  if (take("^")) negated = !negated;
  const size_t end = pattern_.find('}', position_);
  if (end == std::string_view::npos) return refuse("a closing brace");
  const std::string_view name = pattern_.substr(position_, end - position_);
  const auto* known = std::find_if(kProperties.begin(), kProperties.end(),
                                   [&](const Property& p) { return p.name == name; });
  const bool is_han = name == "Han";
  if (known == kProperties.end() && !is_han) return refuse("a known property");
  position_ = end + 1;
  const CodePointSet set =
      is_han ? CodePointSet::han() : CodePointSet::of_categories(known->categories);
  return negated ? set.complement() : set;
}

Result<CodePointSet> RegexReader::read_brackets() {
  if (++depth_ > kDepthMax) return refuse("fewer brackets inside each other");
  take("[");
  if (sees(":")) return refuse("no named class");
  const bool negated = take("^");
  if (sees("]")) return refuse("something in brackets");
  KVASIR_ASSIGN_OR_RETURN(CodePointSet set, read_members());
  while (take("&&")) {
    KVASIR_ASSIGN_OR_RETURN(const CodePointSet other, read_members());
    set = set & other;
  }
  if (!take("]")) return refuse("a closing bracket");
  --depth_;
  return negated ? set.complement() : set;
}

Result<CodePointSet> RegexReader::read_members() {
  CodePointSet set;
  while (!at_end() && !sees("]") && !sees("&&")) {
    KVASIR_ASSIGN_OR_RETURN(const CodePointSet part, read_range());
    set = set | part;
  }
  return set;
}

// A member, or two with a dash between. A dash before the closing bracket is one itself.
Result<CodePointSet> RegexReader::read_range() {
  std::optional<uint32_t> first;
  KVASIR_ASSIGN_OR_RETURN(CodePointSet set, read_member(first));
  if (!sees("-") || sees("-]")) return set;
  if (!first) return refuse("no range from a class");
  take("-");
  std::optional<uint32_t> last;
  if (at_end()) return refuse("the end of a range");
  KVASIR_RETURN_IF_ERROR(read_member(last));
  if (!last || *last < *first) return refuse("a range in order");
  return CodePointSet::range(*first, *last);
}

Result<CodePointSet> RegexReader::read_member(std::optional<uint32_t>& single) {
  if (sees("[")) return read_brackets();
  if (!sees("\\")) {
    single = take_character();
    if (*single == kInvalidByte) return refuse("UTF-8");
    return CodePointSet::single(*single);
  }
  KVASIR_ASSIGN_OR_RETURN(CodePointSet set, read_escape());
  single = set.only_member();
  return set;
}

}  // namespace kvasir::text
