// These functions say of a character what Python's str methods ask: is it white space, what is its
// upper case. Free functions without state; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::text::jinja {

// str.isspace(), which strip() and split() go by.
bool is_python_space(uint32_t code_point);
// Where splitlines() cuts.
bool is_line_end(uint32_t code_point);

enum class Case : uint8_t { kLower, kUpper, kTitle };
// Appends the character in that case; a few become several characters.
void append_in_case(uint32_t code_point, Case letter_case, std::string& out);
void append_in_case(std::string_view bytes, Case letter_case, std::string& out);

}  // namespace kvasir::text::jinja
