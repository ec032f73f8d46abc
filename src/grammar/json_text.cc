#include "grammar/json_text.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "grammar/characters.h"

namespace kvasir::grammar {
namespace {

constexpr int64_t kIndentMax = 32;
constexpr int64_t kFractionDigitsMax = 17;

// Names are told apart by so many characters; what goes on as a longer one does counts as that.
constexpr size_t kNameCharactersMax = 200;

CharacterSet plain_characters() {
  CharacterSet escaped = CharacterSet::range(0, 0x1F);
  escaped.add(CharacterSet::single('"'));
  escaped.add(CharacterSet::single('\\'));
  return escaped.complement();
}

// The characters of UTF-8; a byte that is none counts as itself, and is met by nothing.
std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  for (size_t i = 0; i < text.size() && characters.size() < kNameCharactersMax;) {
    const auto first = static_cast<uint8_t>(text[i]);
    const size_t size = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    char32_t character = size == 1 ? first : first & (0x7Fu >> size);
    for (size_t k = 1; k < size && i + k < text.size(); ++k) {
      character = character << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3Fu);
    }
    characters += character;
    i += size;
  }
  return characters;
}

CharacterSet plain_name_characters() {
  CharacterSet tags = CharacterSet::range('<', '>');
  return plain_characters() & tags.complement();
}

std::vector<std::u32string> spelt_in_order(const std::vector<std::string>& names) {
  std::vector<std::u32string> spelt;
  spelt.reserve(names.size());
  for (const std::string& name : names) spelt.push_back(characters_of(name));
  std::sort(spelt.begin(), spelt.end());
  spelt.erase(std::unique(spelt.begin(), spelt.end()), spelt.end());
  return spelt;
}

// What may stand behind the first `begin` characters, which all of these names, in order, share.
NodeId rest_besides(Builder& builder, std::span<const std::u32string> names, size_t begin,
                    const CharacterSet& characters) {
  std::vector<NodeId> ways;
  CharacterSet others = characters;
  const bool is_name = !names.empty() && names.front().size() == begin;
  if (is_name) names = names.subspan(1);
  if (is_name && begin == kNameCharactersMax) return builder.never();
  if (!is_name) ways.push_back(builder.empty());
  while (!names.empty()) {
    const char32_t character = names.front()[begin];
    size_t count = 1;
    while (count < names.size() && names[count][begin] == character) ++count;
    const CharacterSet one = CharacterSet::single(character);
    if (characters.contains(character)) {
      const NodeId rest = rest_besides(builder, names.first(count), begin + 1, characters);
      ways.push_back(builder.sequence({one.utf8(builder), rest}));
      others = others & one.complement();
    }
    names = names.subspan(count);
  }
  const NodeId any = builder.repeat(characters.utf8(builder), 0, Builder::kNoMax);
  ways.push_back(builder.sequence({others.utf8(builder), any}));
  return builder.choice(std::move(ways));
}

// Numbers of as many digits as both have, from `low` to `high`.
NodeId digits_between(Builder& builder, std::string_view low, std::string_view high) {
  const auto count = static_cast<int64_t>(low.size());
  const bool is_free = low.find_first_not_of('0') == std::string_view::npos &&
                       high.find_first_not_of('9') == std::string_view::npos;
  if (is_free) return builder.repeat(builder.byte_range('0', '9'), count, count);
  const auto first = static_cast<uint8_t>(low[0]);
  const auto last = static_cast<uint8_t>(high[0]);
  const std::string zeros(low.size() - 1, '0');
  const std::string nines(low.size() - 1, '9');
  const auto with = [&](uint8_t from, uint8_t to, std::string_view rest_low,
                        std::string_view rest_high) {
    return builder.sequence(
        {builder.byte_range(from, to), digits_between(builder, rest_low, rest_high)});
  };
  if (first == last) return with(first, first, low.substr(1), high.substr(1));
  std::vector<NodeId> ways = {with(first, first, low.substr(1), nines),
                              with(last, last, zeros, high.substr(1))};
  if (first + 1 < last) {
    ways.push_back(
        with(static_cast<uint8_t>(first + 1), static_cast<uint8_t>(last - 1), zeros, nines));
  }
  return builder.choice(std::move(ways));
}

}  // namespace

JsonText::JsonText(Builder& builder) : builder_(builder) {
  const NodeId blank = builder.text(" ");
  const NodeId indent =
      builder.sequence({builder.text("\n"), builder.repeat(blank, 0, kIndentMax)});
  gap_ = builder.shared(builder.optional(builder.choice({blank, indent})));
  colon_ = builder.sequence({builder.text(":"), builder.optional(blank)});
  comma_ = builder.sequence({builder.text(","), gap_});
  character_ = builder.shared(make_character());
  string_ = quoted(builder.repeat(character_, 0, Builder::kNoMax));
  integer_ = builder.shared(
      builder.sequence({builder.optional(builder.text("-")), whole_within(0, kMagnitudeMax)}));
  number_ = builder.shared(make_number());
}

// A half of a pair alone is no character.
NodeId JsonText::make_character() const {
  const auto hex = [&](int64_t count) {
    ByteSet set;
    for (const char c : std::string_view("0123456789abcdefABCDEF"))
      set.set(static_cast<uint8_t>(c));
    return builder_.repeat(builder_.bytes(set), count, count);
  };
  const auto one_of = [&](std::string_view letters) {
    ByteSet set;
    for (const char c : letters) set.set(static_cast<uint8_t>(c));
    return builder_.bytes(set);
  };
  const NodeId pair =
      builder_.sequence({one_of("dD"), one_of("89abAB"), hex(2), builder_.text("\\u"), one_of("dD"),
                         one_of("cdefCDEF"), hex(2)});
  const NodeId low = builder_.sequence({one_of("dD"), one_of("01234567"), hex(2)});
  const NodeId other = builder_.sequence({one_of("0123456789abcefABCEF"), hex(3)});
  const NodeId by_number =
      builder_.sequence({builder_.text("u"), builder_.choice({other, low, pair})});
  const NodeId escape =
      builder_.sequence({builder_.text("\\"), builder_.choice({one_of("\"\\/bfnrt"), by_number})});
  return builder_.choice({plain_characters().utf8(builder_), escape});
}

NodeId JsonText::make_number() const {
  ByteSet sign;
  sign.set('+').set('-');
  ByteSet letter;
  letter.set('e').set('E');
  const NodeId exponent = builder_.sequence(
      {builder_.bytes(letter), builder_.optional(builder_.bytes(sign)), digits(1, 2)});
  return builder_.sequence(
      {integer_, builder_.optional(fraction(true)), builder_.optional(exponent)});
}

NodeId JsonText::quoted(NodeId characters) const {
  return builder_.sequence({builder_.text("\""), characters, builder_.text("\"")});
}

NodeId JsonText::plain_character() {
  if (!plain_character_) plain_character_ = builder_.shared(CharacterSet::all().utf8(builder_));
  return *plain_character_;
}

NodeId JsonText::name_besides(std::vector<std::string> names) const {
  return quoted(rest_besides(builder_, spelt_in_order(names), 0, plain_characters()));
}

NodeId JsonText::plain_name_besides(std::vector<std::string> names) const {
  return rest_besides(builder_, spelt_in_order(names), 0, plain_name_characters());
}

bool JsonText::is_plain_name(std::string_view name) {
  const CharacterSet plain = plain_name_characters();
  return std::ranges::all_of(name, [&](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x80 || plain.contains(byte);
  });
}

NodeId JsonText::boolean() const {
  return builder_.choice({builder_.text("true"), builder_.text("false")});
}

NodeId JsonText::bracketed(char open, NodeId inside, char close) const {
  return builder_.sequence(
      {builder_.text({&open, 1}), gap_, inside, gap_, builder_.text({&close, 1})});
}

NodeId JsonText::member(NodeId name, NodeId value) const {
  return builder_.sequence({name, colon_, value});
}

NodeId JsonText::value() {
  if (value_) return builder_.call(*value_);
  value_ = builder_.new_rule();
  builder_.define(*value_, builder_.choice({string_, value_but_strings()}));
  return builder_.call(*value_);
}

NodeId JsonText::value_but_strings() {
  return builder_.choice({object(), list(), number_, boolean(), builder_.text("null")});
}

NodeId JsonText::list() {
  const NodeId one = value();
  const NodeId more = builder_.repeat(builder_.sequence({comma_, one}), 0, Builder::kNoMax);
  return bracketed('[', builder_.optional(builder_.sequence({one, more})), ']');
}

NodeId JsonText::object() {
  const NodeId one = member(string_, value());
  const NodeId more = builder_.repeat(builder_.sequence({comma_, one}), 0, Builder::kNoMax);
  return bracketed('{', builder_.optional(builder_.sequence({one, more})), '}');
}

NodeId JsonText::digits(int64_t min, int64_t max) const {
  return builder_.repeat(builder_.byte_range('0', '9'), min, max);
}

// No zero in front but that of 0 itself.
NodeId JsonText::whole_within(int64_t min, int64_t max) const {
  std::vector<NodeId> ways;
  int64_t least = 0;
  for (int64_t most = 9;; most = most * 10 + 9) {
    const int64_t low = std::max(min, least);
    const int64_t high = std::min(max, most);
    if (low <= high) {
      ways.push_back(digits_between(builder_, std::to_string(low), std::to_string(high)));
    }
    if (most == kMagnitudeMax) break;
    least = most + 1;
  }
  return builder_.choice(std::move(ways));
}

NodeId JsonText::fraction(bool may_be_zero) const {
  const NodeId point = builder_.text(".");
  if (may_be_zero) return builder_.sequence({point, digits(1, kFractionDigitsMax)});
  return builder_.sequence(
      {point, digits(0, kFractionDigitsMax - 1), builder_.byte_range('1', '9')});
}

// Numbers without a sign. REQUIRES: both bounds are there, and min >= 0.
NodeId JsonText::magnitude_within(const Bounds& bounds, bool is_whole) const {
  const int64_t min = *bounds.min;
  const int64_t max = *bounds.max;
  std::vector<NodeId> ways;
  ways.push_back(
      whole_within(min + (bounds.excludes_min ? 1 : 0), max - (bounds.excludes_max ? 1 : 0)));
  if (is_whole || min >= max) return ways.front();
  ways.push_back(builder_.sequence({whole_within(min, min), fraction(!bounds.excludes_min)}));
  ways.push_back(builder_.sequence({whole_within(min + 1, max - 1), fraction(true)}));
  return builder_.choice(std::move(ways));
}

NodeId JsonText::within(const Bounds& bounds, bool is_whole) const {
  const int64_t min = std::max(bounds.min.value_or(-kMagnitudeMax), -kMagnitudeMax);
  const int64_t max = std::min(bounds.max.value_or(kMagnitudeMax), kMagnitudeMax);
  std::vector<NodeId> ways;
  if (max >= 0) {
    Bounds above{.min = std::max(min, int64_t{0}), .max = max};
    above.excludes_min = bounds.excludes_min && min >= 0;
    above.excludes_max = bounds.excludes_max;
    ways.push_back(magnitude_within(above, is_whole));
  }
  if (min < 0) {
    Bounds below{.min = std::max(-max, int64_t{0}), .max = -min};
    // There is no -0.
    below.excludes_min = max >= 0 || bounds.excludes_max;
    below.excludes_max = bounds.excludes_min;
    ways.push_back(builder_.sequence({builder_.text("-"), magnitude_within(below, is_whole)}));
  }
  return builder_.choice(std::move(ways));
}

NodeId JsonText::integer_within(const Bounds& bounds) const { return within(bounds, true); }
NodeId JsonText::number_within(const Bounds& bounds) const { return within(bounds, false); }

}  // namespace kvasir::grammar
