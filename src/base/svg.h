// What charts share that are written as SVG. Pure.
#pragma once

#include <string>
#include <string_view>

namespace kvasir {

// Colours that differ for most kinds of colour blindness.
inline constexpr const char* kChartColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                "#e69f00", "#56b4e9", "#5b4b8a", "#6b6b6b"};

// Returns a text as it stands between tags.
inline std::string svg_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace kvasir
