// Elementary functions of doubles that have the same bits on every machine: sums, products and
// quotients alone, in one order. A system's own library chooses other loops on other processors,
// and in other versions.
//
// Errors are within 2 units of the last place (tanh: 3), but for sines near multiples of pi, where
// they are within 4e-16. Pure functions.
#pragma once

namespace kvasir::numeric {

double exp(double x);     // 0 below -745, infinity above 709.78; not a number stays one
double log(double x);     // minus infinity at 0; not a number below
double tanh(double x);    // not a number stays one
float sigmoid(float x);   // 1 / (1 + e^-x)
float softplus(float x);  // log(1 + e^x)
// base^exponent of a base above 0; of others not a number.
double pow(double base, double exponent);

// Up to here sines are that near; beyond it they lose what a double lacks of 2 pi, once a turn.
inline constexpr double kAngleMax = 0x1p27;
struct SineAndCosine {
  double sine;
  double cosine;
};
// Of what is not finite: not a number.
SineAndCosine sin_cos(double x);

}  // namespace kvasir::numeric
