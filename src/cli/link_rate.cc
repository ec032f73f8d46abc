#include "cli/link_rate.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace kvasir::cli {
namespace {

constexpr std::pair<std::string_view, double> kUnits[] = {
    {"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}};
constexpr double kRateMin = 1e3;
constexpr double kRateMax = 1e12;

}  // namespace

std::optional<int64_t> parse_link_rate(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  for (const auto& [name, factor] : kUnits) {
    const double rate = number * factor;
    if (unit == name && rate >= kRateMin && rate <= kRateMax) {
      return static_cast<int64_t>(std::round(rate));
    }
  }
  return std::nullopt;
}

std::string link_rate_text(int64_t bits_per_s) {
  const auto rate = static_cast<double>(bits_per_s);
  for (const auto& [name, factor] : kUnits) {
    if (rate >= factor) return fmt::format("{:g} {}/s", rate / factor, name);
  }
  return fmt::format("{} bit/s", bits_per_s);
}

std::string is_link_rate(const std::string& text) {
  if (parse_link_rate(text)) return {};
  return "must be the rate of a link such as 300Mbit, 1Gbit or 10Gbit, not '" + text + "'";
}

}  // namespace kvasir::cli
