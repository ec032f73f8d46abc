// one_line makes of a text that anybody may have written one line for people to read, on a terminal
// or a page. A pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvasir {

// Blanks and line ends become one blank. Left out is what is not for reading: controls, also those
// of eight bits that terminals obey, what turns the direction of its neighbours, bytes that are no
// UTF-8. At most bytes_max of it, in whole characters, and then the mark.
std::string one_line(std::string_view text, size_t bytes_max, std::string_view cut_mark);

}  // namespace kvasir
