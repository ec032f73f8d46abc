#include "numeric/blocks/block_codes.h"

#include <bit>

#include "numeric/f16.h"

namespace kvasir {

// 0 and 1 give subnormal scales.
float half_of_ue8m0(uint8_t exponent) {
  const uint32_t bits = exponent;
  return std::bit_cast<float>(bits < 2 ? 0x00200000U << bits : (bits - 1) << 23);
}

float run_scale(const BlockCoding& coding, const BlockCodes& codes, int64_t run) {
  switch (coding.scale_form) {
    case ScaleForm::kHalf:
    case ScaleForm::kHalfAndMinimum:
      return f16_decode(codes.scale);
    case ScaleForm::kSteps:
    case ScaleForm::kStepsAndMinima:
      return f16_decode(codes.scale) * static_cast<float>(codes.steps[static_cast<size_t>(run)]);
    case ScaleForm::kExponent:
      break;
  }
  return half_of_ue8m0(codes.exponent);
}

float run_minimum(const BlockCoding& coding, const BlockCodes& codes, int64_t run) {
  if (coding.scale_form == ScaleForm::kHalfAndMinimum) return f16_decode(codes.minimum);
  if (coding.scale_form != ScaleForm::kStepsAndMinima) return 0;
  const auto step = static_cast<float>(codes.minimum_steps[static_cast<size_t>(run)]);
  return -(f16_decode(codes.minimum) * step);
}

}  // namespace kvasir
