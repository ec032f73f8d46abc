// to_json writes a value as Python's json.dumps does, with the options that chat templates can give
// their tojson filter. What a string held keeps its origin. A free function without state.
#pragma once

#include <optional>
#include <string>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

struct JsonStyle {
  bool is_ascii = false;              // \uXXXX for all else
  std::optional<std::string> indent;  // of one level; with it each item has its line
  std::optional<std::string> item_separator;
  std::string key_separator = ": ";
  bool sorts_keys = false;
};

TracedText to_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace kvasir::text::jinja
