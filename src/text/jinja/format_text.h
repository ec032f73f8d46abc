// These functions fill texts as Python does: the % operator, and str.format with its format specs.
// What is filled in keeps the origin it has; the rest keeps the template's. Free functions without
// state.
#pragma once

#include <string_view>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// `text % values`: a tuple's items one after another, a dict by names, or one value.
TracedText format_percent(const TracedText& text, const Value& values, Budget& budget);
// text.format(...)
TracedText format_braces(const TracedText& text, const Arguments& arguments,
                         Interpreter& interpreter);

}  // namespace kvasir::text::jinja
