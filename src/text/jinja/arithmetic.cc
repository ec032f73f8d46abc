#include <algorithm>
#include <cmath>

#include "text/jinja/format_text.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_functions.h"

namespace kvasir::text::jinja {
namespace {

const char* symbol_of(Arithmetic operation) {
  constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSymbols[static_cast<size_t>(operation)];
}

Failed fail_unsupported(Arithmetic operation, const Value& left, const Value& right,
                        Budget& budget) {
  for (const Value* value : {&left, &right}) {
    if (value->is_undefined()) return budget.fail_to_render(value->undefined_reason());
  }
  return budget.fail_to_render(
      "unsupported operand types for " + std::string(symbol_of(operation)) + ": '" +
      std::string(left.type_name()) + "' and '" + std::string(right.type_name()) + "'");
}

Failed fail_overflow(Budget& budget) {
  return budget.fail_unsupported("an integer has more than 64 bits");
}
Failed fail_division(Budget& budget) { return budget.fail_to_render("division by zero"); }

// Python's quotient is rounded down, and the remainder has the divisor's sign.
Value floor_quotient(int64_t left, int64_t right, Budget& budget) {
  if (right == 0) return fail_division(budget);
  if (right == -1) {
    if (left == INT64_MIN) return fail_overflow(budget);
    return -left;
  }
  const int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Value floor_remainder(int64_t left, int64_t right, Budget& budget) {
  if (right == 0) return fail_division(budget);
  if (right == -1) return int64_t{0};
  const int64_t remainder = left % right;
  return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
}

Value integer_power(int64_t base, int64_t exponent, Budget& budget) {
  int64_t result = 1;
  if (base == 1 || base == 0 || base == -1) {
    if (exponent == 0) return int64_t{1};
    return base == -1 && exponent % 2 == 0 ? int64_t{1} : base;
  }
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return fail_overflow(budget);
  }
  return result;
}

Value calculate_integers(Arithmetic operation, int64_t left, int64_t right, Budget& budget) {
  int64_t result = 0;
  bool overflows = false;
  switch (operation) {
    case Arithmetic::kAdd:
      overflows = __builtin_add_overflow(left, right, &result);
      break;
    case Arithmetic::kSubtract:
      overflows = __builtin_sub_overflow(left, right, &result);
      break;
    case Arithmetic::kMultiply:
      overflows = __builtin_mul_overflow(left, right, &result);
      break;
    case Arithmetic::kDivide:
      if (right == 0) return fail_division(budget);
      return static_cast<double>(left) / static_cast<double>(right);
    case Arithmetic::kFloorDivide:
      return floor_quotient(left, right, budget);
    case Arithmetic::kModulo:
      return floor_remainder(left, right, budget);
    case Arithmetic::kPower:
      if (right >= 0) return integer_power(left, right, budget);
      if (left == 0) return fail_division(budget);
      return std::pow(static_cast<double>(left), static_cast<double>(right));
  }
  if (overflows) return fail_overflow(budget);
  return result;
}

double real_remainder(double left, double right) {
  const double remainder = std::fmod(left, right);
  if (remainder == 0) return std::copysign(0.0, right);
  return (remainder < 0) != (right < 0) ? remainder + right : remainder;
}

Value real_power(double base, double exponent, Budget& budget) {
  if (base == 0 && exponent < 0)
    return budget.fail_to_render("zero cannot be raised to a negative power");
  if (base < 0 && std::floor(exponent) != exponent) {
    return budget.fail_unsupported("a power that is a complex number");
  }
  return std::pow(base, exponent);
}

Value calculate_reals(Arithmetic operation, double left, double right, Budget& budget) {
  switch (operation) {
    case Arithmetic::kAdd:
      return left + right;
    case Arithmetic::kSubtract:
      return left - right;
    case Arithmetic::kMultiply:
      return left * right;
    case Arithmetic::kPower:
      return real_power(left, right, budget);
    default:
      break;
  }
  if (right == 0) return fail_division(budget);
  if (operation == Arithmetic::kDivide) return left / right;
  const double remainder = real_remainder(left, right);
  if (operation == Arithmetic::kModulo) return remainder;
  return std::round((left - remainder) / right);
}

Value joined(const TracedText& left, const TracedText& right, Budget& budget) {
  if (!budget.take_text(left.size_bytes() + right.size_bytes())) return {};
  const bool is_html = left.is_html() || right.is_html();
  TracedText result = is_html ? html_escaped(left, budget) : left;
  result.append(is_html ? html_escaped(right, budget) : right);
  return result;
}

bool is_sequence(const List& list) {
  return list.kind == ListKind::kList || list.kind == ListKind::kTuple;
}

Value joined(const List& left, const List& right, Budget& budget) {
  if (!budget.take_items(left.items.size() + right.items.size())) return {};
  std::vector<Value> items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  return make_list(left.kind, std::move(items), budget);
}

Value repeated(const List& list, int64_t count, Budget& budget) {
  const int64_t times = std::max<int64_t>(count, 0);
  int64_t total = 0;
  if (__builtin_mul_overflow(times, static_cast<int64_t>(list.items.size()), &total)) {
    total = INT64_MAX;
  }
  if (!budget.take_items(static_cast<size_t>(total))) return {};
  std::vector<Value> items;
  for (int64_t i = 0; total > 0 && i < times; ++i) {
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return make_list(list.kind, std::move(items), budget);
}

Value calculate_sequences(Arithmetic operation, const Value& left, const Value& right,
                          Budget& budget) {
  const TracedText* text = left.as_text();
  const List* list = left.as_list();
  if (operation == Arithmetic::kAdd) {
    if (text != nullptr && right.as_text() != nullptr) {
      return joined(*text, *right.as_text(), budget);
    }
    const List* other = right.as_list();
    if (list != nullptr && other != nullptr && is_sequence(*list) && list->kind == other->kind) {
      return joined(*list, *other, budget);
    }
  }
  if (operation == Arithmetic::kMultiply) {
    const auto count = integer_of(right);
    if (text != nullptr && count) return repeated(*text, *count, budget);
    if (list != nullptr && is_sequence(*list) && count) return repeated(*list, *count, budget);
  }
  return fail_unsupported(operation, left, right, budget);
}

}  // namespace

Value calculate(Arithmetic operation, const Value& left, const Value& right, Budget& budget) {
  const auto left_integer = integer_of(left);
  const auto right_integer = integer_of(right);
  if (left_integer && right_integer) {
    return calculate_integers(operation, *left_integer, *right_integer, budget);
  }
  const auto left_number = number_of(left);
  const auto right_number = number_of(right);
  if (left_number && right_number)
    return calculate_reals(operation, *left_number, *right_number, budget);
  if (operation == Arithmetic::kMultiply && left_integer) {
    return calculate_sequences(operation, right, left, budget);
  }
  if (operation == Arithmetic::kModulo && left.as_text() != nullptr) {
    if (left.as_text()->is_html()) return budget.fail_unsupported("unsupported: % of HTML");
    return format_percent(*left.as_text(), right, budget);
  }
  return calculate_sequences(operation, left, right, budget);
}

Value negated(const Value& value, Budget& budget) {
  if (const auto integer = integer_of(value)) {
    if (*integer == INT64_MIN) return fail_overflow(budget);
    return -*integer;
  }
  if (const double* real = value.as_double()) return -*real;
  if (value.is_undefined()) return budget.fail_to_render(value.undefined_reason());
  return budget.fail_to_render("bad operand type for unary -: '" + std::string(value.type_name()) +
                               "'");
}

}  // namespace kvasir::text::jinja
