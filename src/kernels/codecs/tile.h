// What codecs of several rows of a block share. A tile is [rows, width], the rows of one vector of
// a stream, token after token.
//
// Loops over channels run in lanes of a fixed number, so that any compiler may turn them into
// vectors: each lane is a sum or a bound of its own, and no bit depends on whether it did.
// Pure functions; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/scale.h"

namespace kvasir::kernels {

// The widest rows that these codecs take: what they keep for each channel lies on the stack.
inline constexpr int64_t kTileWidthMax = 2048;

constexpr Codec tile_codec(CodecId id, const char* name, int64_t group_rows,
                           decltype(Codec::bytes) bytes, decltype(Codec::encode) encode,
                           decltype(Codec::decode) decode) {
  Codec codec = sealed_codec(id, name, group_rows, bytes, encode, decode);
  codec.width_max = kTileWidthMax;
  return codec;
}

inline constexpr int64_t kTileLanes = 16;
using Lanes = std::array<float, kTileLanes>;

// step(first, count) for runs of kTileLanes channels, and for what is left behind the last.
template <class Step>
void for_lanes(int64_t width, Step&& step) {
  int64_t first = 0;
  for (; first + kTileLanes <= width; first += kTileLanes) {
    step(first, std::integral_constant<int64_t, kTileLanes>{});
  }
  if (first < width) step(first, width - first);
}

// The nearest integer, ties to even, in two's complement. REQUIRES: it fits into the byte.
inline uint8_t rounded_to_byte(float value) {
  // Integers are the last bits of a float of this size.
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(value + 0x1.8p23f));
}

// What a row's codes mean: value = (code * scale + min) * factor, one operation after the other.
struct TileSteps {
  std::array<float, kTileWidthMax> scale;
  std::array<float, kTileWidthMax> min;
  std::array<float, kTileWidthMax> factor;
};

// Of 2^bits codes that reach from min to max. Which zero a bound is depends on the order in which
// one looks, so there is only one.
inline float affine_scale(int bits, float min, float max) {
  return f16_rounded(plus_zero(max - min) / static_cast<float>((1 << bits) - 1));
}
inline float affine_min(float min) { return f16_rounded(plus_zero(min)); }

// rows [row_count, width] -> scale and min of every channel, of its values divided by the factors
// of their rows. REQUIRES: factors that are not 0.
void set_channel_steps(int bits, const float* rows, int64_t row_count, int64_t width,
                       const float* row_factors, TileSteps* steps);

// row [width] -> codes [width]. REQUIRES: factors that are not 0.
void code_tile_row(int bits, int64_t width, const TileSteps& steps, const float* row,
                   uint8_t* codes);
void value_tile_row(int64_t width, const TileSteps& steps, const uint8_t* codes, float* row);
// The same, to and from packed codes (packed.h).
void encode_tile_row(int bits, int64_t width, const TileSteps& steps, const float* row,
                     std::byte* packed);
void decode_tile_row(int bits, int64_t width, const TileSteps& steps, const std::byte* packed,
                     float* row);

// values [count], one half float behind the other.
void put_f16s(std::byte* out, const float* values, int64_t count);
void get_f16s(const std::byte* in, int64_t count, float* values);

}  // namespace kvasir::kernels
