#include "text/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace kvasir::text {
namespace {

constexpr int kByteCount = 256;
constexpr int kShiftedByteCount = 68;
constexpr uint32_t kShiftedStart = 0x100;
constexpr uint32_t kAlphabetEnd = kShiftedStart + kShiftedByteCount;
constexpr int16_t kNoByte = -1;

constexpr bool stands_for_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Alphabet {
  std::array<uint32_t, kByteCount> code_point_of{};
  std::array<int16_t, kAlphabetEnd> byte_of{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte_of.fill(kNoByte);
  uint32_t next_shifted = kShiftedStart;
  for (int byte = 0; byte < kByteCount; ++byte) {
    const uint32_t code_point =
        stands_for_itself(byte) ? static_cast<uint32_t>(byte) : next_shifted++;
    alphabet.code_point_of[static_cast<size_t>(byte)] = code_point;
    alphabet.byte_of[code_point] = static_cast<int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string alphabet_character(uint8_t byte) {
  std::string out;
  append_character(kAlphabet.code_point_of[byte], out);
  return out;
}

std::string bytes_of_token_text(std::string_view text) {
  std::string bytes;
  for (size_t position = 0; position < text.size();) {
    const Utf8Character character = read_character(text, position);
    if (character.code_point >= kAlphabetEnd) return std::string(text);
    const int16_t byte = kAlphabet.byte_of[character.code_point];
    if (byte == kNoByte) return std::string(text);
    bytes += static_cast<char>(byte);
    position += character.size_bytes;
  }
  return bytes;
}

}  // namespace kvasir::text
