// to_nfc composes characters as Unicode's normal form C does, by the version of Unicode that
// Hugging Face `tokenizers` knows. This is the one place that knows utf8proc. A pure function; any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::text {

// Bytes that are no part of a character stay, and nothing composes across them. Takes n log n steps
// at most.
std::string to_nfc(std::string_view text);

}  // namespace kvasir::text
