// unescaped gives the text that a string in a template's source stands for, as Python reads its
// "unicode-escape" form. A free function without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/failure.h"

namespace kvasir::text::jinja {

// `inner`: what stands between the quotes, on `line`.
std::string unescaped(std::string_view inner, int line, std::optional<Failure>& failure);

}  // namespace kvasir::text::jinja
