// KIVI's keys (arXiv 2402.02750): each channel of 32 rows has a scale and a minimum of its own.
//
//   min = f16(smallest), scale = f16((largest - smallest) / (2^bits - 1)),
//   code = round((x - min) / scale) to nearest even, value = code * scale + min
//
// Bytes: the codes of each row (packed.h), then scales [width], then minima [width]. For 64
// channels of 4 bits: 1,280 a group.
#include "base/check.h"
#include "kernels/codecs/codec.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/tile.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 32;

template <int kBits>
struct IntChannel {
  static int64_t bytes(const RowShape& shape) {
    return kRows * packed_bytes(kBits, shape.width) + 4 * shape.width;
  }

  static void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
    const int64_t width = shape.width;
    KVASIR_CHECK(width <= kTileWidthMax, "rows of a tile's width");
    std::array<float, kRows> ones;
    ones.fill(1);
    TileSteps steps;
    steps.factor.fill(1);
    set_channel_steps(kBits, rows, kRows, width, ones.data(), &steps);
    for (int64_t r = 0; r < kRows; ++r, group += packed_bytes(kBits, width)) {
      encode_tile_row(kBits, width, steps, rows + r * width, group);
    }
    put_f16s(group, steps.scale.data(), width);
    put_f16s(group + 2 * width, steps.min.data(), width);
  }

  static void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
                     int64_t row_end, float* rows) {
    const int64_t width = shape.width;
    const std::byte* scales = group + kRows * packed_bytes(kBits, width);
    TileSteps steps;
    steps.factor.fill(1);
    get_f16s(scales, width, steps.scale.data());
    get_f16s(scales + 2 * width, width, steps.min.data());
    for (int64_t r = row_begin; r < row_end; ++r, rows += width) {
      decode_tile_row(kBits, width, steps, group + r * packed_bytes(kBits, width), rows);
    }
  }
};

template <int kBits>
constexpr Codec channel_codec(CodecId id, const char* name) {
  return tile_codec(id, name, kRows, IntChannel<kBits>::bytes, IntChannel<kBits>::encode,
                    IntChannel<kBits>::decode);
}

}  // namespace

constinit const Codec kInt4ChannelCodec = channel_codec<4>(CodecId::kInt4Channel, "int4-channel");
constinit const Codec kInt3ChannelCodec = channel_codec<3>(CodecId::kInt3Channel, "int3-channel");
constinit const Codec kInt2ChannelCodec = channel_codec<2>(CodecId::kInt2Channel, "int2-channel");

}  // namespace kvasir::kernels
