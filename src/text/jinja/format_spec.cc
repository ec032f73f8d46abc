#include "text/jinja/format_spec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/jinja/operators.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_functions.h"

namespace kvasir::text::jinja {
namespace {

constexpr int64_t kPrecisionMax = 100;

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

std::optional<int64_t> take_digits(std::string_view& spec, Budget& budget) {
  int64_t value = 0;
  const auto read = std::from_chars(spec.data(), spec.data() + spec.size(), value);
  if (read.ec == std::errc::result_out_of_range)
    budget.fail_to_render("a format's number is too large");
  if (read.ec != std::errc() || spec.starts_with('-')) return std::nullopt;
  spec.remove_prefix(static_cast<size_t>(read.ptr - spec.data()));
  return value;
}

bool take(std::string_view& spec, char c) {
  if (!spec.starts_with(c)) return false;
  spec.remove_prefix(1);
  return true;
}

Failed fail_type(char type, const Value& value, Budget& budget) {
  return budget.fail_to_render(std::string("the format '") + type +
                               "' does not suit a value of type '" +
                               std::string(value.type_name()) + "'");
}

std::string digits_of(uint64_t magnitude, int base, bool is_upper) {
  std::array<char, 70> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, base);
  std::string digits(buffer.data(), written.ptr);
  if (is_upper) {
    for (char& c : digits) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return digits;
}

std::string with_commas(const std::string& number) {
  const size_t whole = std::min(number.find_first_not_of("0123456789"), number.size());
  std::string result = number;
  for (size_t at = whole; at > 3; at -= 3) result.insert(at - 3, ",");
  return result;
}

// The magnitude of an integer, and its prefix when one is asked for.
std::string integer_digits(int64_t value, const FormatSpec& spec, std::string& prefix) {
  const uint64_t magnitude =
      value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  switch (spec.type) {
    case 'x':
    case 'X':
      prefix = spec.is_alternate ? std::string("0") + spec.type : "";
      return digits_of(magnitude, 16, spec.type == 'X');
    case 'o':
      prefix = spec.is_alternate ? "0o" : "";
      return digits_of(magnitude, 8, false);
    case 'b':
      prefix = spec.is_alternate ? "0b" : "";
      return digits_of(magnitude, 2, false);
    default:
      return digits_of(magnitude, 10, false);
  }
}

std::string real_digits(double value, const FormatSpec& spec, Budget& budget) {
  const double magnitude = std::abs(value);
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : "inf";
  if (spec.type == 0 && !spec.precision) return real_text(magnitude);
  const char type = spec.type == '%' ? 'f' : spec.type == 0 ? 'g' : spec.type;
  const int64_t precision = spec.precision.value_or(6);
  if (precision > kPrecisionMax) {
    return budget.fail_unsupported("a number is written with more than 100 digits");
  }
  const char pattern[] = {'%', '.', '*', type, 0};
  std::array<char, 512> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), pattern, static_cast<int>(precision),
                                 spec.type == '%' ? magnitude * 100 : magnitude);
  return {buffer.data(), static_cast<size_t>(size)};
}

TracedText aligned(TracedText text, const FormatSpec& spec, char fallback, Budget& budget) {
  if (!spec.width) return text;
  const char align = spec.align == 0 ? fallback : spec.align;
  if (align != '^') {
    return padded(text, *spec.width, spec.fill, align == '<' ? Side::kLeft : Side::kRight, budget);
  }
  // The odd one goes to the right here.
  const auto length = static_cast<int64_t>(count_characters(text.bytes()));
  const int64_t left = std::max<int64_t>(*spec.width - length, 0) / 2;
  return padded(padded(text, length + left, spec.fill, Side::kRight, budget), *spec.width,
                spec.fill, Side::kLeft, budget);
}

TracedText formatted_number(const std::string& digits, const std::string& prefix, bool is_negative,
                            const FormatSpec& spec, Budget& budget) {
  std::string head = is_negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  head += prefix;
  const std::string body = spec.has_commas ? with_commas(digits) : digits;
  if (spec.align != '=' || !spec.width) {
    return aligned(TracedText(head + body, Origin::kVariable), spec, '>', budget);
  }
  if (spec.has_commas) return budget.fail_unsupported("a number padded with zeros and commas");
  TracedText result(head, Origin::kVariable);
  result.append(padded(TracedText(body, Origin::kVariable),
                       *spec.width - static_cast<int64_t>(head.size()), spec.fill, Side::kRight,
                       budget));
  return result;
}

TracedText formatted_text(const TracedText& text, const FormatSpec& spec, Budget& budget) {
  budget.take_text(text.size_bytes());
  TracedText cut = text;
  if (spec.precision) {
    cut = text.part(0, offset_of_character(text.bytes(), static_cast<size_t>(*spec.precision)));
  }
  return aligned(std::move(cut), spec, '<', budget);
}

bool is_real_type(char type) { return std::string_view("eEfFgG%").find(type) != std::string::npos; }

}  // namespace

FormatSpec parse_format_spec(std::string_view spec, Budget& budget) {
  FormatSpec result;
  const size_t first = spec.empty() ? 0 : character_size_bytes(spec, 0);
  if (first < spec.size() && is_align(spec[first])) {
    result.fill = spec.substr(0, first);
    result.align = spec[first];
    spec.remove_prefix(first + 1);
  } else if (!spec.empty() && is_align(spec[0])) {
    result.align = spec[0];
    spec.remove_prefix(1);
  }
  for (char sign : {'-', '+', ' '}) {
    if (take(spec, sign)) {
      result.sign = sign;
      break;
    }
  }
  result.is_alternate = take(spec, '#');
  if (result.align == 0 && spec.starts_with('0')) {
    result.fill = "0";
    result.align = '=';
  }
  result.width = take_digits(spec, budget);
  result.has_commas = take(spec, ',');
  if (take(spec, '.')) {
    result.precision = take_digits(spec, budget);
    if (!result.precision) return budget.fail_to_render("a format lacks its precision");
  }
  if (!spec.empty()) {
    result.type = spec[0];
    spec.remove_prefix(1);
  }
  const bool is_known = std::string_view("sdxXobeEfFgG%").find(result.type) != std::string::npos;
  if (!spec.empty() || (result.type != 0 && !is_known)) {
    return budget.fail_unsupported("unsupported format " + in_quotes(spec));
  }
  return result;
}

TracedText formatted(const Value& value, const FormatSpec& spec, Budget& budget) {
  if (is_real_type(spec.type) || (value.as_double() != nullptr && spec.type == 0)) {
    const auto number = number_of(value);
    if (!number) return fail_type(spec.type, value, budget);
    const std::string suffix = spec.type == '%' ? "%" : "";
    return formatted_number(real_digits(*number, spec, budget) + suffix, "", std::signbit(*number),
                            spec, budget);
  }
  const bool is_plain_bool = value.as_bool() != nullptr && spec.type == 0;
  if (spec.type != 's' && !is_plain_bool && integer_of(value)) {
    const int64_t integer = *integer_of(value);
    std::string prefix;
    const std::string digits = integer_digits(integer, spec, prefix);
    return formatted_number(digits, prefix, integer < 0, spec, budget);
  }
  if (spec.type != 0 && spec.type != 's') return fail_type(spec.type, value, budget);
  return formatted_text(to_text(value, budget), spec, budget);
}

}  // namespace kvasir::text::jinja
