#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "text/jinja/access.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/operators.h"
#include "text/jinja/parameters.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_functions.h"

namespace kvasir::text::jinja {
namespace {

// Numbers may have white space around them and single "_" between digits.
std::optional<std::string> number_text(const TracedText& text, Budget& budget) {
  std::string bytes = stripped(text, std::nullopt, Side::kBoth, budget).bytes();
  const auto is_digit = [&](size_t i) {
    return i < bytes.size() && bytes[i] >= '0' && bytes[i] <= '9';
  };
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '_' && (i == 0 || !is_digit(i - 1) || !is_digit(i + 1))) return std::nullopt;
  }
  std::erase(bytes, '_');
  if (bytes.starts_with('+') && !bytes.starts_with("+-")) bytes.erase(0, 1);
  return bytes.empty() ? std::nullopt : std::optional(bytes);
}

Failed fail_wide(Budget& budget) {
  return budget.fail_unsupported("an integer has more than 64 bits");
}

// "0x1f" may have its prefix where its base is given.
std::string without_prefix(const std::string& number, int base) {
  const size_t at = number.starts_with('-') ? 1 : 0;
  const std::string prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
  std::string begin = number.substr(at, 2);
  if (begin.size() == 2) begin[1] = static_cast<char>(begin[1] | 0x20);
  if (prefix.empty() || begin != prefix || number.size() == at + 2) return number;
  return number.substr(0, at) + number.substr(at + 2);
}

std::optional<int64_t> parsed_integer(const TracedText& text, int base, Budget& budget) {
  const auto bytes = number_text(text, budget);
  if (!bytes) return std::nullopt;
  const std::string digits = without_prefix(*bytes, base);
  int64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (read.ec == std::errc::result_out_of_range) fail_wide(budget);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> parsed_real(const TracedText& text, Budget& budget) {
  const auto bytes = number_text(text, budget);
  if (!bytes || bytes->find_first_of("xXpP(") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(bytes->c_str(), &end);
  return end == bytes->c_str() + bytes->size() ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> truncated(double value, Budget& budget) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) < 9.2e18) return static_cast<int64_t>(value);
  fail_wide(budget);
  return std::nullopt;
}

Value to_integer(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "int", arguments, {"default", "base"});
  const int64_t base = parameters.integer(1, 10);
  if (base < 2 || base > 36)
    return interpreter.budget().fail_unsupported("unsupported base of an integer");
  const Value fallback = parameters.find(0) == nullptr ? Value(int64_t{0}) : *parameters.find(0);
  if (input.is_undefined()) return interpreter.budget().fail_to_render(input.undefined_reason());
  if (const auto integer = integer_of(input)) return *integer;
  std::optional<double> real;
  if (const double* given = input.as_double()) real = *given;
  if (const TracedText* text = input.as_text()) {
    const auto integer = parsed_integer(*text, static_cast<int>(base), interpreter.budget());
    if (integer) return *integer;
    real = parsed_real(*text, interpreter.budget());
  }
  const auto whole = real ? truncated(*real, interpreter.budget()) : std::nullopt;
  return whole ? Value(*whole) : fallback;
}

Value to_real(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "float", arguments, {"default"});
  if (input.is_undefined()) return interpreter.budget().fail_to_render(input.undefined_reason());
  if (const auto number = number_of(input)) return *number;
  if (const TracedText* text = input.as_text()) {
    if (const auto real = parsed_real(*text, interpreter.budget())) return *real;
  }
  return parameters.find(0) == nullptr ? Value(0.0) : *parameters.find(0);
}

Value absolute(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters none(interpreter.budget(), "abs", arguments, {});
  if (const double* real = input.as_double()) return std::abs(*real);
  const auto integer = integer_of(input);
  if (!integer) return interpreter.budget().fail_to_render("abs() needs a number");
  return *integer < 0 ? negated(*integer, interpreter.budget()) : Value(*integer);
}

// Correctly rounded, halves of the exact value to even.
Value rounded(double value, int64_t precision, Budget& budget) {
  constexpr int64_t kPrecisionMax = 20;
  if (precision < 0 || precision > kPrecisionMax) {
    return budget.fail_unsupported("unsupported precision of round()");
  }
  std::array<char, 400> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", static_cast<int>(precision), value);
  return std::strtod(buffer.data(), nullptr);
}

Value round(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "round", arguments, {"precision", "method"});
  const int64_t precision = parameters.integer(0, 0);
  const std::string method = parameters.bytes(1).value_or("common");
  if (method != "common" && method != "ceil" && method != "floor") {
    return interpreter.budget().fail_to_render("method must be common, ceil or floor");
  }
  const auto number = number_of(input);
  if (!number) return interpreter.budget().fail_to_render("round() needs a number");
  if (method == "common") {
    if (const auto integer = integer_of(input); integer && precision >= 0) return *integer;
    return std::isfinite(*number) ? rounded(*number, precision, interpreter.budget()) : *number;
  }
  if (precision < 0)
    return interpreter.budget().fail_unsupported("unsupported precision of round()");
  const double factor = std::pow(10.0, static_cast<double>(precision));
  return (method == "ceil" ? std::ceil(*number * factor) : std::floor(*number * factor)) / factor;
}

Value sum(Interpreter& interpreter, const Value& input, const Arguments& arguments) {
  const Parameters parameters(interpreter.budget(), "sum", arguments, {"attribute", "start"});
  Value total = parameters.find(1) == nullptr ? Value(int64_t{0}) : *parameters.find(1);
  if (total.as_text() != nullptr)
    return interpreter.budget().fail_to_render("sum() can't sum strings");
  for (const Value& item : items_of(input, interpreter.budget())) {
    const Value* path = parameters.find_some(0);
    const Value value = path == nullptr ? item : path_of(interpreter, item, *path);
    total = calculate(Arithmetic::kAdd, total, value, interpreter.budget());
  }
  return total;
}

constexpr FilterEntry kFilters[] = {
    {"abs", absolute}, {"float", to_real}, {"int", to_integer}, {"round", round}, {"sum", sum},
};

}  // namespace

std::span<const FilterEntry> number_filters() { return kFilters; }

}  // namespace kvasir::text::jinja
