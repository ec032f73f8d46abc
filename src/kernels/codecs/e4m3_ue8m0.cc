// E4M3 codes with a power of two per 64 of them: s = 2^ceil(log2(max(amax, 1e-4) / 448)), so that
// nothing saturates. First the codes [width], then a UE8M0 byte per group. 65 bytes for 64 values.
#include <algorithm>

#include "kernels/codecs/grid.h"
#include "kernels/codecs/sealed_row.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

struct E4m3Ue8m0 {
  static int64_t bytes(int64_t width) {
    return width + (width + kFp8GroupSize - 1) / kFp8GroupSize;
  }

  static void encode(const float* row, int64_t width, std::byte* out) {
    std::byte* scales = out + width;
    for (int64_t begin = 0; begin < width; begin += kFp8GroupSize) {
      const int64_t end = std::min(begin + kFp8GroupSize, width);
      const uint8_t scale = fp8_grid_scale(largest_magnitude(row + begin, end - begin));
      *scales++ = std::byte{scale};
      for (int64_t i = begin; i < end; ++i) {
        out[i] = std::byte{fp8_encode(plus_zero(row[i]) / ue8m0_decode(scale))};
      }
    }
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    for (int64_t i = 0; i < width; ++i) {
      const auto scale = static_cast<uint8_t>(in[width + i / kFp8GroupSize]);
      row[i] = fp8_decode(static_cast<uint8_t>(in[i])) * ue8m0_decode(scale);
    }
  }
};

}  // namespace

constinit const Codec kE4m3Ue8m0Codec =
    sealed_row_codec<E4m3Ue8m0>(CodecId::kE4m3Ue8m0, "e4m3-ue8m0");

}  // namespace kvasir::kernels
