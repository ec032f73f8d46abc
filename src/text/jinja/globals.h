// The functions that every template may call: range, dict, namespace, raise_exception,
// strftime_now. A free function without state.
#pragma once

#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// Undefined when there is none of that name.
Value global_named(Interpreter& interpreter, std::string_view name);

}  // namespace kvasir::text::jinja
