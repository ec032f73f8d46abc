// Rows in two thirds of the bytes of fp8-e8m0: of each vector (width - rope_width) E2M1 codes,
// packed, then rope_width BF16 values, then one E4M3 scale per 16 codes, which a fixed scale of all
// tensors multiplies, then zeros up to a multiple of 8 bytes. 384 bytes for 512 values of which 64
// are rotated.
#include <algorithm>

#include "kernels/codecs/bf16_run.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/nvfp4_scale.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/row_format.h"
#include "kernels/codecs/scale.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kAlignmentBytes = 8;

struct Nvfp4Row {
  static int64_t code_count(const RowShape& shape) { return shape.width - shape.rope_width; }
  static int64_t scales_offset(const RowShape& shape) {
    return packed_bytes(4, code_count(shape)) + 2 * shape.rope_width;
  }
  static int64_t bytes(const RowShape& shape) {
    const int64_t scale_count = (code_count(shape) + kNvfp4GroupSize - 1) / kNvfp4GroupSize;
    const int64_t used_bytes = scales_offset(shape) + scale_count;
    return (used_bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
  }

  static void encode(const RowShape& shape, const float* source, std::byte* out) {
    const int64_t codes = code_count(shape);
    std::byte* scales = out + scales_offset(shape);
    std::fill(out, out + bytes(shape), std::byte{0});
    for (int64_t begin = 0; begin < codes; begin += kNvfp4GroupSize) {
      const int64_t end = std::min(begin + kNvfp4GroupSize, codes);
      const float amax = largest_magnitude(source + begin, end - begin);
      const uint8_t scale = fp8_encode(amax / kFp4Max / kNvfp4TensorScale);
      *scales++ = std::byte{scale};
      const float divisor = divisor_of(fp8_decode(scale) * kNvfp4TensorScale);
      for (int64_t i = begin; i < end; ++i) {
        put_code(4, codes, i, fp4_encode(plus_zero(source[i]) / divisor), out);
      }
    }
    encode_bf16_run(source + codes, shape.rope_width, out + packed_bytes(4, codes));
  }

  static void decode(const RowShape& shape, const std::byte* in, float* target) {
    const int64_t codes = code_count(shape);
    const std::byte* scales = in + scales_offset(shape);
    for (int64_t i = 0; i < codes; ++i) {
      const auto scale = static_cast<uint8_t>(scales[i / kNvfp4GroupSize]);
      target[i] = fp4_decode(static_cast<uint8_t>(code_at(4, codes, i, in))) *
                  (fp8_decode(scale) * kNvfp4TensorScale);
    }
    decode_bf16_run(in + packed_bytes(4, codes), shape.rope_width, target + codes);
  }
};

}  // namespace

constinit const Codec kNvfp4RowCodec = row_format_codec<Nvfp4Row>(CodecId::kNvfp4Row, "nvfp4-row");

}  // namespace kvasir::kernels
