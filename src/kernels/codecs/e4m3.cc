// Plain E4M3, rounded to nearest even; what is larger than 448 becomes that. Whoever has a scale
// for a whole stream divides rows by it beforehand and multiplies what is computed of them. The
// same bytes are a row format, e4m3, and a codec of complete blocks, e4m3-1.
#include "kernels/codecs/codec.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

int64_t bytes(const RowShape& shape) { return shape.vectors * shape.width; }

void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
  for (int64_t i = 0; i < bytes(shape); ++i) group[i] = std::byte{fp8_encode(rows[i])};
}

void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  const std::byte* source = group + row_begin * bytes(shape);
  for (int64_t i = 0; i < (row_end - row_begin) * bytes(shape); ++i) {
    rows[i] = fp8_decode(static_cast<uint8_t>(source[i]));
  }
}

}  // namespace

constinit const Codec kE4m3Codec = row_codec(CodecId::kE4m3, "e4m3", bytes, encode, decode);
constinit const Codec kE4m3OneCodec =
    sealed_codec(CodecId::kE4m3One, "e4m3-1", 1, bytes, encode, decode);

}  // namespace kvasir::kernels
