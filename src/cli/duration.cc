#include "cli/duration.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace kvasir::cli {
namespace {

constexpr std::pair<std::string_view, int64_t> kUnits[] = {
    {"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
constexpr int64_t kSecondsMax = int64_t{1} << 40;

}  // namespace

std::optional<int64_t> parse_duration_s(std::string_view text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  for (const auto& [name, seconds] : kUnits) {
    if (unit == name && number <= kSecondsMax / seconds) return number * seconds;
  }
  return std::nullopt;
}

std::string duration_text(int64_t seconds) {
  seconds = std::max<int64_t>(0, seconds);
  for (const auto& [name, unit_seconds] : kUnits) {
    if (seconds >= unit_seconds)
      return std::to_string(seconds / unit_seconds) + " " + std::string(name);
  }
  return "0 s";
}

std::string is_duration(const std::string& text) {
  if (parse_duration_s(text)) return {};
  return "must be a span of time such as 90s, 30min, 12h or 7d, not '" + text + "'";
}

}  // namespace kvasir::cli
