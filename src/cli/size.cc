#include "cli/size.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace kvasir::cli {
namespace {

constexpr std::pair<std::string_view, double> kUnits[] = {
    {"", 1},
    {"B", 1},
    {"K", 1e3},
    {"KB", 1e3},
    {"M", 1e6},
    {"MB", 1e6},
    {"G", 1e9},
    {"GB", 1e9},
    {"T", 1e12},
    {"TB", 1e12},
    {"KiB", 1024.},
    {"MiB", 1048576.},
    {"GiB", 1073741824.},
    {"TiB", 1099511627776.},
};

}  // namespace

std::optional<int64_t> parse_size_bytes(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !(number >= 0)) return std::nullopt;
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    const double bytes = std::round(number * factor);
    if (bytes >= 0x1p63) return std::nullopt;
    return static_cast<int64_t>(bytes);
  }
  return std::nullopt;
}

std::optional<int64_t> parse_token_count(std::string_view text) {
  int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || count < 0) return std::nullopt;
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  int64_t factor = 1;
  if (unit == "k" || unit == "K") factor = 1024;
  if (unit == "M") factor = int64_t{1024} * 1024;
  if (factor == 1 && !unit.empty()) return std::nullopt;
  if (count > (int64_t{1} << 40) / factor) return std::nullopt;
  return count * factor;
}

std::string is_token_count(const std::string& text) {
  return parse_token_count(text)
             ? std::string()
             : std::string("must be a number of tokens such as 4096, 64k or 1M");
}

std::string size_text(int64_t bytes) {
  constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (std::abs(value) >= 1024 && unit + 1 < std::size(kNames)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kNames[unit]);
}

std::string is_size(const std::string& text) {
  if (parse_size_bytes(text)) return {};
  return "must be a size such as 600M, 16GB or 4GiB, not '" + text + "'";
}

}  // namespace kvasir::cli
