#include "cli/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace kvasir::cli {
namespace {

template <size_t N>
std::string scaled(int64_t bytes, double factor, const std::array<const char*, N>& units) {
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= factor && unit + 1 < N) {
    value /= factor;
    ++unit;
  }
  if (unit == 0) return fmt::format("{} B", bytes);
  const int digits = value < 10 ? 3 : (value < 100 ? 2 : 1);
  // Ties away from zero, as a browser rounds.
  const double power = std::pow(10, digits);
  return fmt::format("{:.{}f} {}", std::floor(value * power + 0.5) / power, digits, units[unit]);
}

}  // namespace

std::string with_commas(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string binary_text(int64_t bytes) {
  return scaled(bytes, 1024, std::array{"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string decimal_text(int64_t bytes) {
  return scaled(bytes, 1000, std::array{"B", "kB", "MB", "GB", "TB", "PB"});
}

std::string token_text(int64_t tokens) {
  constexpr int64_t kKi = 1024;
  if (tokens >= kKi * kKi && tokens % (kKi * kKi) == 0) {
    return fmt::format("{}M", tokens / (kKi * kKi));
  }
  if (tokens >= kKi && tokens % kKi == 0) return fmt::format("{}k", tokens / kKi);
  return with_commas(tokens);
}

std::string wrapped(const std::string& text, size_t indent) {
  constexpr size_t kColumns = 80;
  std::string lines;
  size_t column = indent;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const size_t length = end - begin;
    if (begin > 0 && column + 1 + length > kColumns) {
      lines += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (begin > 0) {
      lines += ' ';
      ++column;
    }
    lines.append(text, begin, length);
    column += length;
    begin = end + 1;
  }
  return lines;
}

std::string rate_text(double bytes_per_token) {
  const double whole = std::floor(bytes_per_token);
  const std::string digits = with_commas(static_cast<int64_t>(whole));
  if (whole == bytes_per_token) return digits;
  // ".25", of which a rounded-up hundred hundredths would be one more.
  const auto hundredths = std::min(99.0, std::round((bytes_per_token - whole) * 100));
  return fmt::format("{}.{:02.0f}", digits, hundredths);
}

}  // namespace kvasir::cli
