// The format of index keys that were trained on an FP4 grid: of each vector packed E2M1 codes, the
// even dims in the low halves of the bytes, then one UE8M0 scale per 32. 68 bytes for 128 values.
#include "numeric/fp4.h"

#include <algorithm>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/grid.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

int64_t scale_count(const RowShape& shape) {
  return (shape.width + kFp4GroupSize - 1) / kFp4GroupSize;
}

int64_t vector_bytes(const RowShape& shape) { return (shape.width + 1) / 2 + scale_count(shape); }

int64_t bytes(const RowShape& shape) { return shape.vectors * vector_bytes(shape); }

void encode_vector(const RowShape& shape, const float* source, std::byte* out) {
  std::byte* scales = out + (shape.width + 1) / 2;
  std::fill(out, scales, std::byte{0});
  for (int64_t begin = 0; begin < shape.width; begin += kFp4GroupSize) {
    const int64_t end = std::min(begin + kFp4GroupSize, shape.width);
    const uint8_t scale = fp4_grid_scale(largest_magnitude(source + begin, end - begin));
    *scales++ = std::byte{scale};
    for (int64_t i = begin; i < end; ++i) {
      const std::byte code{fp4_encode(plus_zero(source[i]) / ue8m0_decode(scale))};
      out[i / 2] |= i % 2 == 0 ? code : code << 4;
    }
  }
}

void decode_vector(const RowShape& shape, const std::byte* in, float* target) {
  const std::byte* scales = in + (shape.width + 1) / 2;
  for (int64_t i = 0; i < shape.width; ++i) {
    const auto pair = static_cast<uint8_t>(in[i / 2]);
    const auto code = static_cast<uint8_t>(i % 2 == 0 ? pair & 15 : pair >> 4);
    target[i] = fp4_decode(code) * ue8m0_decode(static_cast<uint8_t>(scales[i / kFp4GroupSize]));
  }
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

constinit const Codec kFp4Codec = row_codec(CodecId::kFp4, "fp4-e8m0", bytes, encode, decode);

}  // namespace kvasir::kernels
