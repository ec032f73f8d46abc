// The byte alphabet writes any bytes as readable text, as tokenizer files do. Visible Latin-1
// characters stand for themselves; the other 68 bytes are U+0100 and the characters behind it. Free
// functions without state; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::text {

// The character that stands for a byte, in UTF-8.
std::string alphabet_character(uint8_t byte);

// Returns the bytes that a token's text stands for. Text with other characters (a marker such as
// "<｜User｜>") stands for itself.
std::string bytes_of_token_text(std::string_view text);

}  // namespace kvasir::text
