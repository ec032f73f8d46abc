// parse_template turns a template's source into its syntax tree. A free function without state.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/failure.h"
#include "text/jinja/limits.h"
#include "text/jinja/syntax.h"

namespace kvasir::text::jinja {

// After a failure, which says its line, the tree has no meaning.
Body parse_template(std::string_view source, const TemplateLimits& limits,
                    std::optional<Failure>& failure);

}  // namespace kvasir::text::jinja
