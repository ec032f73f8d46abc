// These functions read and write the rates of links as people do: 300Mbit, 1Gbit, 2.5Gbit. k, M and
// G are powers of 1000.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvasir::cli {

// Bits a second. Null: not a rate, or none of at least 1 kbit and at most 1000 Gbit.
std::optional<int64_t> parse_link_rate(std::string_view text);

// "1 Gbit/s", "300 Mbit/s".
std::string link_rate_text(int64_t bits_per_s);

// A check for options: empty when it is one.
std::string is_link_rate(const std::string& text);

}  // namespace kvasir::cli
