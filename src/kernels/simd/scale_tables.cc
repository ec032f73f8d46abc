#include "kernels/simd/scale_tables.h"

#include <limits>

#include "kernels/codecs/nvfp4_scale.h"
#include "kernels/codecs/turbo_entries.h"

namespace kvasir::kernels {
namespace {

using Limits = std::numeric_limits<float>;

constexpr float power_of_two(int code) {
  if (code == 255) return Limits::quiet_NaN();
  float value = 1;
  for (int i = 127; i < code; ++i) value *= 2;
  for (int i = code; i < 127; ++i) value /= 2;
  return value;
}

// A constant expression must neither overflow nor compute with NaN, so both are passed on by hand.
constexpr float scaled(float magnitude, float scale) {
  if (scale != scale) return scale;
  return scale > 1 && magnitude > Limits::max() / scale ? Limits::infinity() : magnitude * scale;
}

// As numeric/fp8.h decodes it.
constexpr float e4m3_value(int byte) {
  const int exponent = (byte >> 3) & 15;
  const int mantissa = byte & 7;
  if (exponent == 15 && mantissa == 7) return Limits::quiet_NaN();
  const float magnitude =
      exponent == 0 ? static_cast<float>(mantissa) / 8 * power_of_two(121)
                    : (1 + static_cast<float>(mantissa) / 8) * power_of_two(exponent + 120);
  return byte >= 128 ? -magnitude : magnitude;
}

template <int kBits>
constexpr void fill_turbo(ScaleTables& tables) {
  for (int code = 0; code < 16; ++code) {
    tables.turbo[kBits][code] = turbo_entry<kBits>(code % (1 << kBits));
  }
}

constexpr ScaleTables make_scale_tables() {
  constexpr float kMagnitudes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  ScaleTables tables{};
  for (int byte = 0; byte < 256; ++byte) {
    const float scale = power_of_two(byte);
    tables.ue8m0[byte] = scale;
    tables.half_ue8m0[byte] = byte == 255 ? power_of_two(254) : scale / 2;
    for (int code = 0; code < 8; ++code) {
      tables.fp4[byte][code] = scaled(kMagnitudes[code], scale);
      tables.fp4[byte][code + 8] = -tables.fp4[byte][code];
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    const float value = e4m3_value(byte);
    tables.nvfp4[byte] = value != value ? value : value * kNvfp4TensorScale;
  }
  fill_turbo<2>(tables);
  fill_turbo<3>(tables);
  fill_turbo<4>(tables);
  return tables;
}

}  // namespace

constinit const ScaleTables kScaleTables = make_scale_tables();

}  // namespace kvasir::kernels
