// A byte a value with one scale for each channel of 128 rows, s = f16(amax / largest code).
//
//   int8-channel  codes round(x / s) to nearest even, -127 to 127
//   e4m3-channel  codes x / s in E4M3, to 448
//
// Bytes: the codes [128, width], then the scales [width]. 8,320 for 64 channels.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/tile.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 128;

struct Int8 {
  static constexpr float kLargest = 127;
  static std::byte encode(float value) {
    return std::byte{rounded_to_byte(std::clamp(value, -kLargest, kLargest))};
  }
  static float decode(std::byte code) { return static_cast<float>(static_cast<int8_t>(code)); }
};

struct E4m3 {
  static constexpr float kLargest = kFp8Max;
  static std::byte encode(float value) { return std::byte{fp8_encode(value)}; }
  static float decode(std::byte code) { return fp8_decode(static_cast<uint8_t>(code)); }
};

int64_t bytes(const RowShape& shape) { return (kRows + 2) * shape.width; }

template <class Code, class Count>
void encode_channels(const float* rows, int64_t width, Count count, std::byte* codes,
                     std::byte* scales) {
  Lanes largest{};
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t i = 0; i < count; ++i) {
      largest[i] = std::max(largest[i], std::fabs(rows[r * width + i]));
    }
  }
  Lanes divisors{};
  for (int64_t i = 0; i < count; ++i) {
    const float scale = f16_rounded(largest[i] / Code::kLargest);
    put_f16(scales + 2 * i, scale);
    divisors[i] = divisor_of(scale);
  }
  for (int64_t r = 0; r < kRows; ++r) {
    std::array<std::byte, kTileLanes> lanes;
    for (int64_t i = 0; i < count; ++i) lanes[i] = Code::encode(rows[r * width + i] / divisors[i]);
    std::memcpy(codes + r * width, lanes.data(), count);
  }
}

template <class Code>
void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
  std::byte* scales = group + kRows * shape.width;
  for_lanes(shape.width, [&](int64_t first, auto count) {
    encode_channels<Code>(rows + first, shape.width, count, group + first, scales + 2 * first);
  });
}

template <class Code>
void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
            int64_t row_end, float* rows) {
  const std::byte* scales = group + kRows * shape.width;
  for (int64_t r = row_begin; r < row_end; ++r, rows += shape.width) {
    const std::byte* codes = group + r * shape.width;
    for (int64_t c = 0; c < shape.width; ++c) {
      rows[c] = Code::decode(codes[c]) * get_f16(scales + 2 * c);
    }
  }
}

}  // namespace

constinit const Codec kInt8ChannelCodec =
    sealed_codec(CodecId::kInt8Channel, "int8-channel", kRows, bytes, encode<Int8>, decode<Int8>);
constinit const Codec kE4m3ChannelCodec =
    sealed_codec(CodecId::kE4m3Channel, "e4m3-channel", kRows, bytes, encode<E4m3>, decode<E4m3>);

}  // namespace kvasir::kernels
