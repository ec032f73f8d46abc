// The filters, a table for each file that has some. Only filters.cc reads them.
#pragma once

#include <span>
#include <string_view>

#include "text/jinja/interpreter.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

struct FilterEntry {
  std::string_view name;
  Value (*filter)(Interpreter&, const Value& input, const Arguments&);
};

std::span<const FilterEntry> text_filters();
std::span<const FilterEntry> list_filters();
std::span<const FilterEntry> order_filters();
std::span<const FilterEntry> number_filters();

}  // namespace kvasir::text::jinja
