// Filters (value | name) and tests (value is name), by name. Free functions without state.
#pragma once

#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// Whether Jinja has one of that name, supported here or not.
bool is_filter(std::string_view name);
bool is_test(std::string_view name);

// Fails for a name that is none, or is not supported.
Value apply_filter(Interpreter& interpreter, std::string_view name, const Value& input,
                   const Arguments& arguments);
bool apply_test(Interpreter& interpreter, std::string_view name, const Value& value,
                const Arguments& arguments);

}  // namespace kvasir::text::jinja
