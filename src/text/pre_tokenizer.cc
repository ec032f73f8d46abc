#include "text/pre_tokenizer.h"

#include "text/utf8.h"

namespace kvasir::text {
namespace {

constexpr int kDigitsPerPieceMax = 3;

bool is_cjk_or_kana(uint32_t code_point) {
  return (code_point >= 0x4E00 && code_point <= 0x9FA5) ||
         (code_point >= 0x3040 && code_point <= 0x30FF);
}

bool is_line_end(uint32_t code_point) { return code_point == '\r' || code_point == '\n'; }

bool is_ascii_letter(uint32_t code_point) {
  return (code_point >= 'A' && code_point <= 'Z') || (code_point >= 'a' && code_point <= 'z');
}

bool is_letter_or_mark(Category category) {
  return category == Category::kLetter || category == Category::kMark;
}

bool is_punctuation_or_symbol(Category category) {
  return category == Category::kPunctuation || category == Category::kSymbol;
}

}  // namespace

PreTokenizer::Character PreTokenizer::character_at(size_t position) const {
  if (position >= section_end_) return Character{.end = position};
  const Utf8Character read = read_character(text_, position);
  return Character{.code_point = read.code_point,
                   .category = category_of(read.code_point),
                   .exists = true,
                   .end = position + read.size_bytes};
}

template <class Predicate>
size_t PreTokenizer::skip_while(size_t position, Predicate fits) const {
  for (;;) {
    const Character character = character_at(position);
    if (!character.exists || !fits(character)) return position;
    position = character.end;
  }
}

std::string_view PreTokenizer::take(size_t end) {
  const std::string_view piece = text_.substr(position_, end - position_);
  position_ = end;
  return piece;
}

// Expressions 1 and 2. Sections of numbers are cut to their final size here: expression 3 matches
// nothing in them.
void PreTokenizer::find_section() {
  section_end_ = text_.size();
  const Character first = character_at(position_);
  if (first.category == Category::kNumber) {
    int digits_left = kDigitsPerPieceMax;
    section_end_ = skip_while(position_, [&](const Character& c) {
      return c.category == Category::kNumber && digits_left-- > 0;
    });
    return;
  }
  const bool cjk = is_cjk_or_kana(first.code_point);
  section_end_ = skip_while(position_, [&](const Character& c) {
    return c.category != Category::kNumber && is_cjk_or_kana(c.code_point) == cjk;
  });
}

std::string_view PreTokenizer::next() {
  if (position_ == text_.size()) return {};
  if (match_end_ > position_) return take(match_end_);
  if (position_ == section_end_) find_section();
  for (size_t start = position_; start < section_end_; start = character_at(start).end) {
    const size_t end = match_at(start);
    if (end == start) continue;
    match_end_ = end;
    return take(start == position_ ? end : start);
  }
  return take(section_end_);
}

size_t PreTokenizer::match_at(size_t position) const {
  const Character first = character_at(position);
  if (first.category == Category::kLetter) return match_word(position, first);
  if (is_punctuation_or_symbol(first.category)) return match_symbols(position, first);
  if (const size_t end = match_word(position, first); end != position) return end;
  if (const size_t end = match_symbols(position, first); end != position) return end;
  return first.category == Category::kSpace ? match_space(position) : position;
}

// [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
size_t PreTokenizer::match_word(size_t position, const Character& first) const {
  const auto in_word = [](const Character& c) { return is_letter_or_mark(c.category); };
  const bool may_lead = !is_line_end(first.code_point) && !in_word(first) &&
                        !is_punctuation_or_symbol(first.category);
  const size_t start = may_lead ? first.end : position;
  const size_t end = skip_while(start, in_word);
  return end == start ? position : end;
}

// [ASCII punctuation][A-Za-z]+ and, failing that, | ?[\p{P}\p{S}]+[\r\n]*|
size_t PreTokenizer::match_symbols(size_t position, const Character& first) const {
  if (first.code_point < 0x80 && is_punctuation_or_symbol(first.category)) {
    const size_t end =
        skip_while(first.end, [](const Character& c) { return is_ascii_letter(c.code_point); });
    if (end != first.end) return end;
  }
  const size_t start = first.code_point == ' ' ? first.end : position;
  const size_t end =
      skip_while(start, [](const Character& c) { return is_punctuation_or_symbol(c.category); });
  if (end == start) return position;
  return skip_while(end, [](const Character& c) { return is_line_end(c.code_point); });
}

// \s*[\r\n]+ up to the last line end of the run; otherwise \s+(?!\S), which leaves the last blank
// to what follows; otherwise \s+
size_t PreTokenizer::match_space(size_t position) const {
  size_t last_start = position;
  size_t after_line_end = position;
  const size_t end = skip_while(position, [&, at = position](const Character& c) mutable {
    if (c.category != Category::kSpace) return false;
    if (is_line_end(c.code_point)) after_line_end = c.end;
    last_start = at;
    at = c.end;
    return true;
  });
  if (after_line_end != position) return after_line_end;
  if (end == section_end_ || last_start == position) return end;
  return last_start;
}

}  // namespace kvasir::text
