// The byte alphabet of byte-level BPE: how tokenizer files write a token's bytes as readable text.
// Visible Latin-1 characters stand for themselves, the other 68 bytes for U+0100 and on.
// Free functions without state; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::text {

// The character that stands for a byte, in UTF-8.
std::string alphabet_character(uint8_t byte);

// The bytes a token's text stands for. Text that is not wholly in the alphabet (a marker such as
// "<｜User｜>") stands for itself.
std::string bytes_of_token_text(std::string_view text);

}  // namespace kvasir::text
