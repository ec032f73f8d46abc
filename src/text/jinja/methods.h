// method_of gives the methods of strings, lists and dicts that templates may call. Those that would
// change a value are forbidden, as in Jinja's immutable sandbox. A free function without state.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

// Nothing when Python's type has no attribute of that name. One that is forbidden is undefined; one
// that exists but is not supported here fails.
std::optional<Value> method_of(Interpreter& interpreter, const Value& object,
                               std::string_view name);

}  // namespace kvasir::text::jinja
