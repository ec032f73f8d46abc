// Codes of 2 to 4 bits on an even grid between the least and the largest value of a group along the
// row: m = f16(min), s = f16((max - m) / (2^bits - 1)), q = round((x - m) / s) to nearest even,
// x' = q s + m. First the packed codes of the whole row, then the scales of all groups, then all
// minima. int4-token-g32: 40 bytes for 64 values. int2-keys is the row format with the bytes of
// int2-token-g32: 48 bytes for 128 values.
#include <algorithm>
#include <cmath>

#include "kernels/codecs/grid.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/row_format.h"
#include "kernels/codecs/scale.h"
#include "kernels/codecs/sealed_row.h"

namespace kvasir::kernels {
namespace {

template <int kBits, int64_t kGroupSize>
struct IntToken {
  static constexpr float kTop = (1 << kBits) - 1;

  static int64_t group_count(int64_t width) { return (width + kGroupSize - 1) / kGroupSize; }
  static int64_t bytes(int64_t width) {
    return packed_bytes(kBits, width) + 4 * group_count(width);
  }

  static void encode(const float* row, int64_t width, std::byte* out) {
    std::byte* scale_out = out + packed_bytes(kBits, width);
    std::byte* minimum_out = scale_out + 2 * group_count(width);
    std::fill(out, scale_out, std::byte{0});
    for (int64_t begin = 0; begin < width; begin += kGroupSize) {
      const int64_t end = std::min(begin + kGroupSize, width);
      const auto [least, largest] = std::minmax_element(row + begin, row + end);
      const float minimum = f16_rounded(*least);
      const float scale = f16_rounded((*largest - minimum) / kTop);
      for (int64_t i = begin; i < end; ++i) {
        const float steps = (row[i] - minimum) / divisor_of(scale);
        put_code(kBits, width, i, clamped_code(std::nearbyint(steps), kTop), out);
      }
      put_f16(scale_out, scale);
      put_f16(minimum_out, minimum);
      scale_out += 2;
      minimum_out += 2;
    }
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    const std::byte* scales = in + packed_bytes(kBits, width);
    const std::byte* minima = scales + 2 * group_count(width);
    for (int64_t i = 0; i < width; ++i) {
      const int64_t group = i / kGroupSize;
      row[i] = static_cast<float>(code_at(kBits, width, i, in)) * get_f16(scales + 2 * group) +
               get_f16(minima + 2 * group);
    }
  }
};

struct Int2Keys {
  using Rows = IntToken<2, 32>;

  static int64_t bytes(const RowShape& shape) { return Rows::bytes(shape.width); }
  static void encode(const RowShape& shape, const float* vector, std::byte* out) {
    Rows::encode(vector, shape.width, out);
  }
  static void decode(const RowShape& shape, const std::byte* in, float* vector) {
    Rows::decode(in, shape.width, vector);
  }
};

}  // namespace

constinit const Codec kInt2KeysCodec = row_format_codec<Int2Keys>(CodecId::kInt2Keys, "int2-keys");
constinit const Codec kInt4TokenG32Codec =
    sealed_row_codec<IntToken<4, 32>>(CodecId::kInt4TokenG32, "int4-token-g32");
constinit const Codec kInt4TokenG64Codec =
    sealed_row_codec<IntToken<4, 64>>(CodecId::kInt4TokenG64, "int4-token-g64");
constinit const Codec kInt3TokenG32Codec =
    sealed_row_codec<IntToken<3, 32>>(CodecId::kInt3TokenG32, "int3-token-g32");
constinit const Codec kInt3TokenG64Codec =
    sealed_row_codec<IntToken<3, 64>>(CodecId::kInt3TokenG64, "int3-token-g64");
constinit const Codec kInt2TokenG32Codec =
    sealed_row_codec<IntToken<2, 32>>(CodecId::kInt2TokenG32, "int2-token-g32");
constinit const Codec kInt2TokenG64Codec =
    sealed_row_codec<IntToken<2, 64>>(CodecId::kInt2TokenG64, "int2-token-g64");

}  // namespace kvasir::kernels
