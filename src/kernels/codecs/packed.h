// Codes of 1 to 4 bits, packed for vectors of 8 or 16 lanes: what a lane takes lies in one byte.
// Pure functions; any thread.
//
//   4 bits: byte j of a run of 32 codes has code j in its low half and code j + 16 in its high one
//   2 bits: byte j of a run of 64 codes has the codes j, j + 16, j + 32 and j + 48, low bits first
//   1 bit:  byte j has the codes 8 j to 8 j + 7, low bits first
//   3 bits: the low two bits of all codes, then their high bits
// What is left behind the last whole run lies code after code, low bits first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvasir::kernels {

// count codes of `bits` bits, to whole bytes for each plane.
constexpr int64_t packed_bytes(int bits, int64_t count) {
  return bits == 3 ? packed_bytes(2, count) + packed_bytes(1, count) : (bits * count + 7) / 8;
}

// Adds code `index` of count, below 2^bits, to out [packed_bytes], where its bits are 0. One by one
// codes make the same bytes as all together.
void put_code(int bits, int64_t count, int64_t index, int code, std::byte* out);
// Code `index` of count of in [packed_bytes].
int code_at(int bits, int64_t count, int64_t index, const std::byte* in);

// codes [count], each below 2^bits -> out [packed_bytes], every byte written.
void pack_codes(int bits, const uint8_t* codes, int64_t count, std::byte* out);
// in [packed_bytes] -> codes [count]
void unpack_codes(int bits, const std::byte* in, int64_t count, uint8_t* codes);

// ---- tiles of four-bit codes that are multiplied as they lie
//
// A tile is codes [lanes, depth] of which sums over the depth are wanted, a lane each. 16 lanes and
// 8 places of the depth share 64 bytes: byte 4 l + j has the code of lane l and place j in its low
// half, and that of place j + 4 in its high one.
inline constexpr int64_t kTileCodeLanes = 16;
inline constexpr int64_t kTileCodeDepth = 8;

constexpr bool fills_code_tile(int64_t lanes, int64_t depth) {
  return lanes % kTileCodeLanes == 0 && depth % kTileCodeDepth == 0;
}

// Where the code lies in a tile of that depth.
struct TileCodePlace {
  int64_t byte;
  int shift;
};
constexpr TileCodePlace tile_code_place(int64_t depth, int64_t lane, int64_t k) {
  const int64_t group = lane / kTileCodeLanes * (depth / kTileCodeDepth) + k / kTileCodeDepth;
  return {
      .byte = group * (kTileCodeLanes * kTileCodeDepth / 2) + 4 * (lane % kTileCodeLanes) + k % 4,
      .shift = k % kTileCodeDepth < 4 ? 0 : 4};
}

}  // namespace kvasir::kernels
