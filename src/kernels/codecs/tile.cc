#include "kernels/codecs/tile.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/codecs/packed.h"

namespace kvasir::kernels {

void set_channel_steps(int bits, const float* rows, int64_t row_count, int64_t width,
                       const float* row_factors, TileSteps* steps) {
  for_lanes(width, [&](int64_t first, auto count) {
    Lanes min;
    Lanes max;
    min.fill(std::numeric_limits<float>::infinity());
    max.fill(-std::numeric_limits<float>::infinity());
    for (int64_t r = 0; r < row_count; ++r) {
      const float* row = rows + r * width + first;
      for (int64_t i = 0; i < count; ++i) {
        const float value = row[i] / row_factors[r];
        min[i] = std::min(min[i], value);
        max[i] = std::max(max[i], value);
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      steps->scale[first + i] = affine_scale(bits, min[i], max[i]);
      steps->min[first + i] = affine_min(min[i]);
    }
  });
}

void code_tile_row(int bits, int64_t width, const TileSteps& steps, const float* row,
                   uint8_t* codes) {
  const auto largest = static_cast<float>((1 << bits) - 1);
  for_lanes(width, [&](int64_t first, auto count) {
    std::array<uint8_t, kTileLanes> lanes;
    for (int64_t i = 0; i < count; ++i) {
      const float value = row[first + i] / steps.factor[first + i] - steps.min[first + i];
      const float code = value / divisor_of(steps.scale[first + i]);
      lanes[i] = rounded_to_byte(std::clamp(code, 0.0f, largest));
    }
    std::memcpy(codes + first, lanes.data(), count);
  });
}

void value_tile_row(int64_t width, const TileSteps& steps, const uint8_t* codes, float* row) {
  for (int64_t i = 0; i < width; ++i) {
    row[i] = (static_cast<float>(codes[i]) * steps.scale[i] + steps.min[i]) * steps.factor[i];
  }
}

void encode_tile_row(int bits, int64_t width, const TileSteps& steps, const float* row,
                     std::byte* packed) {
  std::array<uint8_t, kTileWidthMax> codes;
  code_tile_row(bits, width, steps, row, codes.data());
  pack_codes(bits, codes.data(), width, packed);
}

void decode_tile_row(int bits, int64_t width, const TileSteps& steps, const std::byte* packed,
                     float* row) {
  std::array<uint8_t, kTileWidthMax> codes;
  unpack_codes(bits, packed, width, codes.data());
  value_tile_row(width, steps, codes.data(), row);
}

void put_f16s(std::byte* out, const float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) put_f16(out + 2 * i, values[i]);
}

void get_f16s(const std::byte* in, int64_t count, float* values) {
  for (int64_t i = 0; i < count; ++i) values[i] = get_f16(in + 2 * i);
}

}  // namespace kvasir::kernels
