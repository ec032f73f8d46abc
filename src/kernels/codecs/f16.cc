// IEEE half precision, little-endian, rounded to nearest even. What is larger than the largest
// number becomes that number, not infinity: a cache holds finite rows.
#include "numeric/f16.h"
#include "kernels/codecs/codec.h"
#include "kernels/unaligned.h"

namespace kvasir::kernels {
namespace {

int64_t bytes(const RowShape& shape) { return 2 * shape.vectors * shape.width; }

void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
  for (int64_t i = 0; i < shape.vectors * shape.width; ++i) {
    store_unaligned(group + 2 * i, f16_encode(rows[i]));
  }
}

void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  const std::byte* source = group + row_begin * bytes(shape);
  for (int64_t i = 0; i < (row_end - row_begin) * shape.vectors * shape.width; ++i) {
    rows[i] = f16_decode(load_unaligned<uint16_t>(source + 2 * i));
  }
}

}  // namespace

constinit const Codec kF16Codec = row_codec(CodecId::kF16, "f16", bytes, encode, decode);

}  // namespace kvasir::kernels
