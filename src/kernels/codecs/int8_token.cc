// Signed bytes with one scale for a token's vector: s = f16(amax / 127), codes round(x / s) to
// nearest even. First the codes [width], then the scale. 66 bytes for 64 values.
#include <algorithm>
#include <cmath>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/scale.h"

namespace kvasir::kernels {
namespace {

int64_t bytes(const RowShape& shape) { return shape.width + 2; }

void encode(const RowShape& shape, SideData, const float* row, std::byte* out) {
  const float scale = f16_rounded(largest_magnitude(row, shape.width) / 127);
  const float divisor = divisor_of(scale);
  for (int64_t i = 0; i < shape.width; ++i) {
    const float code = std::clamp(std::nearbyint(row[i] / divisor), -127.0f, 127.0f);
    out[i] = static_cast<std::byte>(static_cast<int8_t>(code));
  }
  put_f16(out + shape.width, scale);
}

void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  for (int64_t r = row_begin; r < row_end; ++r, rows += shape.width) {
    const std::byte* row = group + r * bytes(shape);
    const float scale = get_f16(row + shape.width);
    for (int64_t i = 0; i < shape.width; ++i) {
      rows[i] = static_cast<float>(static_cast<int8_t>(row[i])) * scale;
    }
  }
}

}  // namespace

constinit const Codec kInt8TokenCodec =
    sealed_codec(CodecId::kInt8Token, "int8-token", 1, bytes, encode, decode);

}  // namespace kvasir::kernels
