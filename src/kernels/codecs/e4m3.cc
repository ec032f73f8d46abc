// Plain E4M3, rounded to nearest even; what is larger than 448 becomes that. Whoever has a scale
// for a whole stream divides rows by it beforehand and multiplies what is computed of them.
#include "kernels/codecs/codec.h"
#include "kernels/unaligned.h"
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

constinit const Codec kE4m3Codec = {.id = CodecId::kE4m3,
                                    .name = "e4m3",
                                    .version = 1,
                                    .group_rows = 1,
                                    .is_read_at_once = true,
                                    .bytes = bytes,
                                    .encode = encode,
                                    .decode = decode};

}  // namespace kvasir::kernels
