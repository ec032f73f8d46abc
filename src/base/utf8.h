// These functions read UTF-8 as it is met in the wild. Reading a character never fails, and never
// reads past the end. Free functions without state; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir {

// Stands for a byte that is no part of a well-formed character. Beyond the last code point.
inline constexpr uint32_t kInvalidByte = 0x110000;

struct Utf8Character {
  uint32_t code_point = kInvalidByte;
  uint32_t size_bytes = 1;
};

// The character at `position`. A byte that starts no well-formed character (a stray continuation,
// an overlong form, a surrogate, a cut-off tail) is a kInvalidByte of one byte.
// REQUIRES: position < text.size().
inline Utf8Character read_character(std::string_view text, size_t position);
// The same where the byte there is not ASCII.
Utf8Character read_long_character(std::string_view text, size_t position);

// Where the character starts that ends at `end`, when characters are read from the text's start on.
// REQUIRES: 0 < end <= text.size(), and a character ends there.
size_t character_start_before(std::string_view text, size_t end);

// How many of the last bytes begin a character that bytes yet to come could complete: 0 to 3.
size_t incomplete_tail_bytes(std::string_view text);

// REQUIRES: code_point < 0x110000.
void append_character(uint32_t code_point, std::string& out);

inline Utf8Character read_character(std::string_view text, size_t position) {
  const auto first = static_cast<uint8_t>(text[position]);
  if (first < 0x80) return {first, 1};
  return read_long_character(text, position);
}

}  // namespace kvasir
