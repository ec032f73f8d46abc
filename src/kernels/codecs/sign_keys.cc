// Index keys as signs: of each vector a bit for every number, set where it is negative, then the
// mean magnitude as half float, which all numbers then have. 18 bytes for 128 values.
#include <algorithm>
#include <cmath>

#include "kernels/codecs/packed.h"
#include "kernels/codecs/row_format.h"
#include "kernels/codecs/scale.h"

namespace kvasir::kernels {
namespace {

struct SignKeys {
  static int64_t bytes(const RowShape& shape) { return packed_bytes(1, shape.width) + 2; }

  static void encode(const RowShape& shape, const float* source, std::byte* out) {
    std::byte* scale = out + packed_bytes(1, shape.width);
    std::fill(out, scale, std::byte{0});
    double sum = 0;
    for (int64_t i = 0; i < shape.width; ++i) {
      sum += std::fabs(source[i]);
      put_code(1, shape.width, i, source[i] < 0 ? 1 : 0, out);
    }
    put_f16(scale, static_cast<float>(sum / static_cast<double>(shape.width)));
  }

  static void decode(const RowShape& shape, const std::byte* in, float* target) {
    const float scale = get_f16(in + packed_bytes(1, shape.width));
    for (int64_t i = 0; i < shape.width; ++i) {
      target[i] = code_at(1, shape.width, i, in) != 0 ? -scale : scale;
    }
  }
};

}  // namespace

constinit const Codec kSignKeysCodec = row_format_codec<SignKeys>(CodecId::kSignKeys, "sign-keys");

}  // namespace kvasir::kernels
