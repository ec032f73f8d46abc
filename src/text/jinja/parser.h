// parse_template turns a template's source into its syntax tree. A free function without state.
#pragma once

#include <string_view>

#include "text/jinja/limits.h"
#include "text/jinja/syntax.h"

namespace kvasir::text::jinja {

// Throws a Failure that has its line.
Body parse_template(std::string_view source, const TemplateLimits& limits);

}  // namespace kvasir::text::jinja
