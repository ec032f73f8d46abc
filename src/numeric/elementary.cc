#include "numeric/elementary.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>

namespace kvasir::numeric {
namespace {

// ln 2 in two parts. The first has so few bits that a product with an exponent is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

// A number as the sum of a double and of what it lacks.
struct Pair {
  double high;
  double low;
};

// a + b. REQUIRES: |a| >= |b|, or a is 0.
Pair exact_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

// a * b, by halves of 26 bits (Dekker 1971).
Pair exact_product(double a, double b) {
  const auto split = [](double x) {
    const double scaled = x * 0x1.0000002p27;
    const double high = scaled - (scaled - x);
    return Pair{high, x - high};
  };
  const Pair x = split(a);
  const Pair y = split(b);
  const double product = a * b;
  const double low =
      ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low;
  return {product, low};
}

// c[0] + c[1] x + ...
template <size_t kCount>
double polynomial(const double (&c)[kCount], double x) {
  double sum = c[kCount - 1];
  for (size_t i = kCount - 1; i-- > 0;) sum = sum * x + c[i];
  return sum;
}

constexpr double inverse_factorial(int n) {
  double factorial = 1;
  for (int i = 2; i <= n; ++i) factorial *= i;
  return 1 / factorial;
}

// e^(x.high + x.low), x.low tiny. With x = n ln 2 + r, |r| <= ln(2) / 2, a Taylor polynomial in r,
// of which 1 + r + r^2 / 2 is exact but for its last rounding.
double exp_of(const Pair& x) {
  if (!(x.high > -745.2)) return x.high != x.high ? x.high : 0;
  if (x.high > 709.79) return std::numeric_limits<double>::infinity();
  constexpr double kTerms[] = {inverse_factorial(3),  inverse_factorial(4),  inverse_factorial(5),
                               inverse_factorial(6),  inverse_factorial(7),  inverse_factorial(8),
                               inverse_factorial(9),  inverse_factorial(10), inverse_factorial(11),
                               inverse_factorial(12), inverse_factorial(13)};
  const double n = std::nearbyint(x.high * std::numbers::log2e);
  const double high = x.high - n * kLn2High;
  const double low = x.low - n * kLn2Low;
  const double r = high + low;
  const double lost = (high - r) + low;
  const Pair square = exact_product(r, r);
  const Pair linear = exact_sum(1, r);
  const Pair sum = exact_sum(linear.high, square.high / 2);
  const double rest = square.low / 2 + r * square.high * polynomial(kTerms, r);
  const double tail = sum.low + (linear.low + (rest + (1 + r) * lost));
  return std::ldexp(sum.high + tail, static_cast<int>(n));
}

// log(x): of x = 2^n m with m near 1 it is n ln 2 + 2 atanh(s), s = (m - 1) / (m + 1). The first
// term of the series is exact but for a tiny part.
Pair log_of(double x) {
  constexpr double kTerms[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                               2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < std::numbers::sqrt2 / 2) {
    m *= 2;
    --exponent;
  }
  const double above = m - 1;
  const Pair below = exact_sum(2, above);  // m + 1
  const double s = above / below.high;
  const Pair back = exact_product(s, below.high);
  const double s_low = (((above - back.high) - back.low) - s * below.low) / below.high;
  const double square = s * s;
  const double series = s * square * polynomial(kTerms, square);
  const double n = exponent;
  const Pair first = exact_sum(n * kLn2High, 2 * s);
  return exact_sum(first.high, first.low + (series + (2 * s_low + n * kLn2Low)));
}

struct Reduced {
  double angle;  // within pi / 4
  int quarter;   // x = angle + quarter * pi / 2, from 0 to 3
};

// Parts of pi / 2 of 26 bits: a product of one with a whole number below 2^27 is exact.
Reduced reduce(double x) {
  if (std::abs(x) > kAngleMax) x = std::remainder(x, 2 * std::numbers::pi);
  const double n = std::nearbyint(x * (2 * std::numbers::inv_pi));
  double angle = x - n * 0x1.921fb50000000p+0;
  angle -= n * 0x1.110b460000000p-26;
  angle -= n * 0x1.1a62630000000p-54;
  angle -= n * 0x1.8a2e03707344ap-81;
  return {.angle = angle, .quarter = static_cast<int>(static_cast<int64_t>(n) & 3)};
}

double sine_near_zero(double r) {
  constexpr double kTerms[] = {
      -inverse_factorial(3),  inverse_factorial(5),  -inverse_factorial(7),  inverse_factorial(9),
      -inverse_factorial(11), inverse_factorial(13), -inverse_factorial(15), inverse_factorial(17)};
  const double square = r * r;
  return r + r * square * polynomial(kTerms, square);
}

double cosine_near_zero(double r) {
  constexpr double kTerms[] = {
      inverse_factorial(4),  -inverse_factorial(6),  inverse_factorial(8),  -inverse_factorial(10),
      inverse_factorial(12), -inverse_factorial(14), inverse_factorial(16), -inverse_factorial(18)};
  const double square = r * r;
  const double half = square / 2;
  const double first = 1 - half;
  return first + (((1 - first) - half) + square * square * polynomial(kTerms, square));
}

}  // namespace

double exp(double x) { return exp_of({x, 0}); }

double log(double x) {
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (!(x > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(x)) return x;
  const Pair result = log_of(x);
  return result.high + result.low;
}

double tanh(double x) {
  const double magnitude = std::abs(x);
  double value = 1 - 2 / (exp(2 * magnitude) + 1);
  if (magnitude < 0.6) {
    // The series by its continued fraction, x / (1 + x^2 / (3 + x^2 / (5 + ...))).
    const double square = x * x;
    double fraction = 21;
    for (double n = 19; n > 0; n -= 2) fraction = n + square / fraction;
    value = magnitude / fraction;
  }
  return x < 0 ? -value : x != x ? x : value;
}

float sigmoid(float x) { return static_cast<float>(1 / (1 + exp(-static_cast<double>(x)))); }

// Beyond 20, x and the result agree to float32; far below 0 little is left of the power beside 1.
float softplus(float x) {
  if (x > 20) return x;
  const double power = exp(x);
  return static_cast<float>(x < -15 ? power - power * power / 2 : log(1 + power));
}

double pow(double base, double exponent) {
  if (!(base > 0) || std::isinf(base)) return std::numeric_limits<double>::quiet_NaN();
  const Pair log_of_base = log_of(base);
  Pair product = exact_product(exponent, log_of_base.high);
  product.low += exponent * log_of_base.low;
  return exp_of(product);
}

SineAndCosine sin_cos(double x) {
  if (!std::isfinite(x)) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    return {.sine = kNone, .cosine = kNone};
  }
  const Reduced reduced = reduce(x);
  const double sine = sine_near_zero(reduced.angle);
  const double cosine = cosine_near_zero(reduced.angle);
  switch (reduced.quarter) {
    case 0:
      return {.sine = sine, .cosine = cosine};
    case 1:
      return {.sine = cosine, .cosine = -sine};
    case 2:
      return {.sine = -sine, .cosine = -cosine};
    default:
      return {.sine = -cosine, .cosine = sine};
  }
}

}  // namespace kvasir::numeric
