// Some systems put a byte order mark before a text to say how it is encoded. It is no part of the
// text.
#pragma once

#include <string_view>

#include "kvasir/result.h"

namespace kvasir {

// Returns the text without a UTF-8 mark at its start. Error: the mark is one of UTF-16 or UTF-32;
// `where` names the text.
Result<std::string_view> without_byte_order_mark(std::string_view text, std::string_view where);

}  // namespace kvasir
