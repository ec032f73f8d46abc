// E4M3 codes with one scale for a token's vector: s = f16(amax / 448), codes of x / s. First the
// codes [width], then the scale. 66 bytes for 64 values.
#include "kernels/codecs/grid.h"
#include "kernels/codecs/scale.h"
#include "kernels/codecs/sealed_row.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

struct E4m3Token {
  static int64_t bytes(int64_t width) { return width + 2; }

  static void encode(const float* row, int64_t width, std::byte* out) {
    const float scale = f16_rounded(largest_magnitude(row, width) / kFp8Max);
    const float divisor = divisor_of(scale);
    for (int64_t i = 0; i < width; ++i) {
      out[i] = std::byte{fp8_encode(plus_zero(row[i]) / divisor)};
    }
    put_f16(out + width, scale);
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    const float scale = get_f16(in + width);
    for (int64_t i = 0; i < width; ++i) row[i] = fp8_decode(static_cast<uint8_t>(in[i])) * scale;
  }
};

}  // namespace

constinit const Codec kE4m3TokenCodec =
    sealed_row_codec<E4m3Token>(CodecId::kE4m3Token, "e4m3-token");

}  // namespace kvasir::kernels
