// These functions read and write spans of time as people do: 90s, 30min, 12h, 7d.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir::cli {

// Null: not a span of time.
std::optional<int64_t> parse_duration_s(std::string_view text);

// "42 s", "3 min", "5 h", "12 d".
std::string duration_text(int64_t seconds);

// A check for options: empty when it is one.
std::string is_duration(const std::string& text);

}  // namespace kvasir::cli
