// A BlockCoding says how the numbers of a block are small whole numbers with a scale for each run
// of them: what integer products (docs/numerics.md) need to know of a block type.
//
//   number i = scale * (integer(code i) - offset) + minimum
//
// with scale and minimum those of its run, rounded as the decoder rounds them. Pure functions and
// constants.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kvasir {

// What scales and minima are made of. d and m are f16.
enum class ScaleForm : uint8_t {
  kHalf,            // scale d of the block
  kHalfAndMinimum,  // scale d, minimum m of the block
  kSteps,           // scale d * s, a small integer s for each run
  kStepsAndMinima,  // scale d * s, minimum -(m * t), s and t for each run
  kExponent,        // scale 2^(e - 128): half of what UE8M0 says
};

inline constexpr int64_t kBlockRunsMax = 16;

// A block taken apart. What the form does not have is not written.
struct BlockCodes {
  std::array<uint8_t, 256> codes;
  uint16_t scale = 0;    // d
  uint16_t minimum = 0;  // m
  uint8_t exponent = 0;
  std::array<int8_t, kBlockRunsMax> steps;           // s
  std::array<uint8_t, kBlockRunsMax> minimum_steps;  // t
};

struct BlockCoding {
  int64_t run_items = 32;  // 16 or 32 numbers share a scale
  int code_bits = 8;       // 4: codes are below 16
  int integer_bits = 8;    // 4, 5 or 6: the integers are below 16, 32 or 64
  int offset = 0;          // a power of two, or 0
  ScaleForm scale_form = ScaleForm::kHalf;
  const uint8_t* integers = nullptr;  // [16]; null: a code is its integer
  void (*read)(const std::byte* block, BlockCodes& out) = nullptr;

  bool has_minima() const {
    return scale_form == ScaleForm::kHalfAndMinimum || scale_form == ScaleForm::kStepsAndMinima;
  }
  int integer(uint8_t code) const { return integers != nullptr ? integers[code] : code; }
};

// 2^(exponent - 128), half of what UE8M0 says, to go with doubled values: the largest products then
// stay finite.
float half_of_ue8m0(uint8_t exponent);

// The scale and the minimum of a run, as float32. minimum is 0 where the form has none.
float run_scale(const BlockCoding& coding, const BlockCodes& codes, int64_t run);
float run_minimum(const BlockCoding& coding, const BlockCodes& codes, int64_t run);

}  // namespace kvasir
