// The cache format of models trained with FP8 rows: of each vector (width - rope_width) E4M3 codes,
// then rope_width BF16 values, then one UE8M0 scale per 64 codes, then zeros up to a multiple of 8
// bytes. 584 bytes for 512 values of which 64 are rotated.
#include <algorithm>

#include "kernels/codecs/bf16_run.h"
#include "kernels/codecs/codec.h"
#include "kernels/codecs/grid.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kAlignmentBytes = 8;

int64_t code_count(const RowShape& shape) { return shape.width - shape.rope_width; }

int64_t scale_count(const RowShape& shape) {
  return (code_count(shape) + kFp8GroupSize - 1) / kFp8GroupSize;
}

int64_t vector_bytes(const RowShape& shape) {
  const int64_t used_bytes = code_count(shape) + 2 * shape.rope_width + scale_count(shape);
  return (used_bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
}

int64_t bytes(const RowShape& shape) { return shape.vectors * vector_bytes(shape); }

void encode_vector(const RowShape& shape, const float* source, std::byte* out) {
  const int64_t codes = code_count(shape);
  std::byte* scales = out + codes + 2 * shape.rope_width;
  for (int64_t begin = 0; begin < codes; begin += kFp8GroupSize) {
    const int64_t end = std::min(begin + kFp8GroupSize, codes);
    const uint8_t scale = fp8_grid_scale(largest_magnitude(source + begin, end - begin));
    *scales++ = std::byte{scale};
    for (int64_t i = begin; i < end; ++i) {
      out[i] = std::byte{fp8_encode(plus_zero(source[i]) / ue8m0_decode(scale))};
    }
  }
  encode_bf16_run(source + codes, shape.rope_width, out + codes);
  std::fill(scales, out + vector_bytes(shape), std::byte{0});
}

void decode_vector(const RowShape& shape, const std::byte* in, float* target) {
  const int64_t codes = code_count(shape);
  const std::byte* scales = in + codes + 2 * shape.rope_width;
  for (int64_t i = 0; i < codes; ++i) {
    const auto scale = static_cast<uint8_t>(scales[i / kFp8GroupSize]);
    target[i] = fp8_decode(static_cast<uint8_t>(in[i])) * ue8m0_decode(scale);
  }
  decode_bf16_run(in + codes, shape.rope_width, target + codes);
}

void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
  for (int64_t v = 0; v < shape.vectors; ++v) {
    encode_vector(shape, rows + v * shape.width, group + v * vector_bytes(shape));
  }
}

void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  const std::byte* first = group + row_begin * bytes(shape);
  for (int64_t v = 0; v < (row_end - row_begin) * shape.vectors; ++v) {
    decode_vector(shape, first + v * vector_bytes(shape), rows + v * shape.width);
  }
}

}  // namespace

constinit const Codec kFp8Codec = row_codec(CodecId::kFp8, "fp8-e8m0", bytes, encode, decode);

}  // namespace kvasir::kernels
