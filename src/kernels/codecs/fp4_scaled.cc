// FP4 codes (E2M1) with a scale byte per group along the row. First the packed codes of the whole
// row, then the scales.
//   mxfp4: groups of 32, s = 2^ceil(log2(amax / 6)) as UE8M0, so that nothing saturates (the rule
//          of the OCP takes the floor). 34 bytes for 64 values.
//   nvfp4: groups of 16, s an E4M3 number times a fixed scale of all tensors, which puts the
//   largest
//          value that a group can have at 64. 36 bytes for 64 values.
#include <algorithm>

#include "kernels/codecs/grid.h"
#include "kernels/codecs/nvfp4_scale.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/scale.h"
#include "kernels/codecs/sealed_row.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

struct CeilScale {
  static constexpr int64_t kGroupSize = 32;
  static uint8_t of(float amax) { return fp4_grid_scale(amax); }
  static float value(uint8_t byte) { return ue8m0_decode(byte); }
};

struct TensorScale {
  static constexpr int64_t kGroupSize = kNvfp4GroupSize;
  static constexpr float kTensorScale = kNvfp4TensorScale;
  static uint8_t of(float amax) { return fp8_encode(amax / kFp4Max / kTensorScale); }
  static float value(uint8_t byte) { return fp8_decode(byte) * kTensorScale; }
};

template <class Scale>
struct ScaledFp4 {
  static constexpr int64_t kGroupSize = Scale::kGroupSize;

  static int64_t bytes(int64_t width) {
    return packed_bytes(4, width) + (width + kGroupSize - 1) / kGroupSize;
  }

  static void encode(const float* row, int64_t width, std::byte* out) {
    std::byte* scales = out + packed_bytes(4, width);
    std::fill(out, scales, std::byte{0});
    for (int64_t begin = 0; begin < width; begin += kGroupSize) {
      const int64_t end = std::min(begin + kGroupSize, width);
      const uint8_t scale = Scale::of(largest_magnitude(row + begin, end - begin));
      *scales++ = std::byte{scale};
      const float divisor = divisor_of(Scale::value(scale));
      for (int64_t i = begin; i < end; ++i) {
        put_code(4, width, i, fp4_encode(plus_zero(row[i]) / divisor), out);
      }
    }
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    const std::byte* scales = in + packed_bytes(4, width);
    for (int64_t i = 0; i < width; ++i) {
      const float scale = Scale::value(static_cast<uint8_t>(scales[i / kGroupSize]));
      row[i] = fp4_decode(static_cast<uint8_t>(code_at(4, width, i, in))) * scale;
    }
  }
};

}  // namespace

constinit const Codec kMxfp4Codec =
    sealed_row_codec<ScaledFp4<CeilScale>>(CodecId::kMxfp4, "mxfp4");
constinit const Codec kNvfp4Codec =
    sealed_row_codec<ScaledFp4<TensorScale>>(CodecId::kNvfp4, "nvfp4");

}  // namespace kvasir::kernels
