#include "text/jinja/string_literal.h"

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace kvasir::text::jinja {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

// The letter's control character, the sign itself, or 0 for what is no escape.
char simple_escape(char letter) {
  constexpr std::string_view kLetters = "abfnrtv\\'\"";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  const size_t at = kLetters.find(letter);
  return at == std::string_view::npos ? 0 : kMeanings[at];
}

class Unescaper {
 public:
  Unescaper(std::string_view inner, int line, std::optional<Failure>& failure)
      : inner_(inner), line_(line), failure_(failure) {}

  std::string run() && {
    while (at_ < inner_.size()) {
      if (inner_[at_] == '\\' && at_ + 1 < inner_.size()) {
        ++at_;
        take_escape();
      } else {
        out_ += inner_[at_++];
      }
    }
    return std::move(out_);
  }

 private:
  // Stands behind the backslash.
  void take_escape() {
    const char letter = inner_[at_];
    if (letter == '\n') {
      ++at_;
    } else if (const char meaning = simple_escape(letter)) {
      out_ += meaning;
      ++at_;
    } else if (digit_of(letter) < 8) {
      append(take_digits(8, 1, 3));
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      const size_t digit_count = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
      ++at_;
      append(take_digits(16, digit_count, digit_count));
    } else if (letter == 'N') {
      fail_with(ErrorKind::kUnsupported, "a string names a character with \\N");
    } else {
      take_unknown();
    }
  }

  uint32_t take_digits(int base, size_t count_min, size_t count_max) {
    uint32_t value = 0;
    size_t count = 0;
    for (; count < count_max && at_ < inner_.size() && digit_of(inner_[at_]) < base; ++count) {
      value = value * static_cast<uint32_t>(base) + static_cast<uint32_t>(digit_of(inner_[at_++]));
    }
    if (count < count_min) fail_with(ErrorKind::kDamaged, "an escape in a string is cut off");
    return value;
  }

  void append(uint32_t code_point) {
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000)) {
      return fail_with(ErrorKind::kDamaged, "an escape in a string is no character");
    }
    append_character(code_point, out_);
  }

  // The backslash stays. Python escapes what is not ASCII before it looks for escapes, so such a
  // character behind a backslash becomes the letters of its own escape.
  void take_unknown() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const Utf8Character character = read_character(inner_, at_);
    out_ += '\\';
    if (character.code_point < 0x80) {
      out_ += inner_[at_];
    } else {
      const int digit_count = character.code_point < 0x100     ? 2
                              : character.code_point < 0x10000 ? 4
                                                               : 8;
      out_ += digit_count == 2 ? 'x' : digit_count == 4 ? 'u' : 'U';
      for (int shift = 4 * (digit_count - 1); shift >= 0; shift -= 4) {
        out_ += kDigits[character.code_point >> shift & 0xF];
      }
    }
    at_ += character.size_bytes;
  }

  void fail_with(ErrorKind kind, const char* what) {
    failure_ = Failure{kind, what, line_};
    at_ = inner_.size();
  }

  std::string_view inner_;
  int line_;
  std::optional<Failure>& failure_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string unescaped(std::string_view inner, int line, std::optional<Failure>& failure) {
  return Unescaper(inner, line, failure).run();
}

}  // namespace kvasir::text::jinja
