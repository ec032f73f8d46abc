// Plain float32, little-endian: every value as it was computed.
#include <cstring>

#include "kernels/codecs/codec.h"

namespace kvasir::kernels {
namespace {

int64_t bytes(const RowShape& shape) { return 4 * shape.vectors * shape.width; }

void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
  std::memcpy(group, rows, static_cast<size_t>(bytes(shape)));
}

void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  std::memcpy(rows, group + row_begin * bytes(shape),
              static_cast<size_t>((row_end - row_begin) * bytes(shape)));
}

}  // namespace

constinit const Codec kF32Codec = row_codec(CodecId::kF32, "f32", bytes, encode, decode);

}  // namespace kvasir::kernels
