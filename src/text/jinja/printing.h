// These functions write values as Python prints them: str(), repr(), and the shortest digits that
// give a float back. What a string held keeps its origin; what Python adds around it derives from a
// variable. Free functions without state.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// str(value); nothing for an undefined one.
TracedText to_text(const Value& value, Budget& budget);
TracedText to_repr(const Value& value, Budget& budget);
// "1.0", "1e-05", "inf"
std::string real_text(double value);
// For messages: 'bytes', cut when long.
std::string in_quotes(std::string_view bytes);

}  // namespace kvasir::text::jinja
