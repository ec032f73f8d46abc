#include "base/one_line.h"

#include <cstdint>

#include "base/utf8.h"

namespace kvasir {

std::string one_line(std::string_view text, size_t bytes_max, std::string_view cut_mark) {
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = read_character(text, at);
    at += character.size_bytes;
    const uint32_t point = character.code_point;
    const bool is_blank = point == ' ' || point == '\n' || point == '\t' || point == '\r';
    if (is_blank && (line.empty() || line.back() == ' ')) continue;
    // Controls, and those that turn the direction of what stands beside them.
    const bool is_control = (point < 0x20 && !is_blank) || (point >= 0x7F && point < 0xA0) ||
                            (point >= 0x200B && point <= 0x200F) ||
                            (point >= 0x2028 && point <= 0x202E) ||
                            (point >= 0x2066 && point <= 0x2069) || point == kInvalidByte;
    if (is_control) continue;
    const size_t before = line.size();
    append_character(is_blank ? ' ' : point, line);
    if (line.size() <= bytes_max) continue;
    line.resize(before);
    return line.append(cut_mark);
  }
  return line;
}

}  // namespace kvasir
