#include "base/utf8.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir {
namespace {

constexpr Utf8Character kInvalid{kInvalidByte, 1};

bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// The bounds of the second byte keep out overlong forms, surrogates and what lies beyond U+10FFFF.
struct Lead {
  uint32_t size_bytes;  // 0: starts nothing
  uint8_t second_min;
  uint8_t second_max;
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

uint8_t byte_at(std::string_view text, size_t position) {
  return static_cast<uint8_t>(text[position]);
}

// How many bytes from `position` fit the character that the byte there begins.
uint32_t fitting_bytes(std::string_view text, size_t position, const Lead& lead) {
  uint32_t fitting = 1;
  while (fitting < lead.size_bytes && position + fitting < text.size()) {
    const uint8_t byte = byte_at(text, position + fitting);
    const bool fits =
        fitting == 1 ? byte >= lead.second_min && byte <= lead.second_max : is_continuation(byte);
    if (!fits) break;
    ++fitting;
  }
  return fitting;
}

}  // namespace

Utf8Character read_long_character(std::string_view text, size_t position) {
  const uint8_t first = byte_at(text, position);
  const Lead lead = lead_of(first);
  if (lead.size_bytes == 0) return kInvalid;
  if (fitting_bytes(text, position, lead) < lead.size_bytes) return kInvalid;
  uint32_t code_point = first & (0xFFu >> (lead.size_bytes + 1));
  for (uint32_t i = 1; i < lead.size_bytes; ++i) {
    code_point = code_point << 6 | (byte_at(text, position + i) & 0x3Fu);
  }
  return {code_point, lead.size_bytes};
}

// A lead byte is inside no other character, so the last one that reaches `end` is where it starts.
size_t character_start_before(std::string_view text, size_t end) {
  const size_t size_max = std::min<size_t>(4, end);
  for (size_t size = 1; size <= size_max; ++size) {
    const size_t start = end - size;
    if (is_continuation(byte_at(text, start))) continue;
    return read_character(text, start).size_bytes == size ? start : end - 1;
  }
  return end - 1;
}

size_t incomplete_tail_bytes(std::string_view text) {
  const size_t tail_max = std::min<size_t>(3, text.size());
  for (size_t tail = 1; tail <= tail_max; ++tail) {
    const size_t position = text.size() - tail;
    const uint8_t byte = byte_at(text, position);
    if (is_continuation(byte)) continue;
    const Lead lead = lead_of(byte);
    const bool open = lead.size_bytes > tail && fitting_bytes(text, position, lead) == tail;
    return open ? tail : 0;
  }
  return 0;
}

void append_character(uint32_t code_point, std::string& out) {
  KVASIR_CHECK(code_point < kInvalidByte, "no code point");
  const auto add = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  const auto continuation = [code_point](int shift) { return 0x80 | (code_point >> shift & 0x3F); };
  if (code_point < 0x80) {
    add(code_point);
    return;
  }
  if (code_point < 0x800) {
    add(0xC0 | code_point >> 6);
  } else if (code_point < 0x10000) {
    add(0xE0 | code_point >> 12);
    add(continuation(6));
  } else {
    add(0xF0 | code_point >> 18);
    add(continuation(12));
    add(continuation(6));
  }
  add(continuation(0));
}

}  // namespace kvasir
