// Plain BF16, little-endian, rounded to nearest even.
#include "kernels/codecs/bf16_run.h"
#include "kernels/codecs/codec.h"

namespace kvasir::kernels {
namespace {

int64_t bytes(const RowShape& shape) { return 2 * shape.vectors * shape.width; }

void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
  encode_bf16_run(rows, shape.vectors * shape.width, group);
}

void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  decode_bf16_run(group + row_begin * bytes(shape),
                  (row_end - row_begin) * shape.vectors * shape.width, rows);
}

}  // namespace

constinit const Codec kBf16Codec = row_codec(CodecId::kBf16, "bf16", bytes, encode, decode);

}  // namespace kvasir::kernels
