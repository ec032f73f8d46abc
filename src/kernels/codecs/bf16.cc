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

constinit const Codec kBf16Codec = {.id = CodecId::kBf16,
                                    .name = "bf16",
                                    .version = 1,
                                    .group_rows = 1,
                                    .is_read_at_once = true,
                                    .bytes = bytes,
                                    .encode = encode,
                                    .decode = decode};

}  // namespace kvasir::kernels
