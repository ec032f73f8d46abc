// unescaped gives the text that a string in a template's source stands for, as Python reads its
// "unicode-escape" form. A free function without state.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::text::jinja {

// `inner`: what stands between the quotes, on `line`. Throws a Failure.
std::string unescaped(std::string_view inner, int line);

}  // namespace kvasir::text::jinja
