// The methods of strings, by name. Free functions without state.
#pragma once

#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

using TextMethod = Value (*)(Interpreter&, const TracedText&, const Arguments&);

// Null when there is none here.
TextMethod text_method(std::string_view name);
// Whether Python's strings have such a method, here or not.
bool is_python_text_method(std::string_view name);

// islower(), isupper()
bool is_lower(const TracedText& text);
bool is_upper(const TracedText& text);

}  // namespace kvasir::text::jinja
