// A FormatSpec says how one value is written into a text: "{:>8.2f}" or "%-8s". Free functions
// without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = 0;             // '<', '>', '^', '='; 0: by the kind of value
  char sign = '-';            // '-', '+', ' '
  bool is_alternate = false;  // #
  bool has_commas = false;
  std::optional<int64_t> width;
  std::optional<int64_t> precision;
  char type = 0;
};

// "[[fill]align][sign][#][0][width][,][.precision][type]". Fails for what else there is.
FormatSpec parse_format_spec(std::string_view spec, Budget& budget);

TracedText formatted(const Value& value, const FormatSpec& spec, Budget& budget);

}  // namespace kvasir::text::jinja
