// The decoders of all block types, for the table alone; each file beside this one defines a few
// that are akin. Layouts are written as fields in storage order, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/little_endian.h"
#include "numeric/blocks/block_codes.h"
#include "numeric/f16.h"

namespace kvasir::blocks {

using DecodeBlock = void(const std::byte* block, float* out);

DecodeBlock decode_f32, decode_f16, decode_bf16;                              // plain.cc
DecodeBlock decode_q4_0, decode_q4_1, decode_q5_0, decode_q5_1, decode_q8_0;  // q32.cc
DecodeBlock decode_q2_k, decode_q3_k, decode_q4_k, decode_q5_k, decode_q6_k;  // q256.cc
DecodeBlock decode_q1_0, decode_q2_0, decode_tq1_0, decode_tq2_0;             // few_values.cc
DecodeBlock decode_iq4_nl, decode_iq4_xs;                                     // iq4.cc
DecodeBlock decode_mxfp4, decode_nvfp4;                                       // fp4_blocks.cc
DecodeBlock decode_iq1_s, decode_iq1_m;                                       // iq1.cc
DecodeBlock decode_iq2_xxs, decode_iq2_xs, decode_iq2_s;                      // iq2.cc
DecodeBlock decode_iq3_xxs, decode_iq3_s;                                     // iq3.cc

extern const BlockCoding kQ4_0Coding, kQ4_1Coding, kQ5_0Coding, kQ5_1Coding, kQ8_0Coding;  // q32.cc
extern const BlockCoding kQ2KCoding, kQ3KCoding, kQ4KCoding, kQ5KCoding, kQ6KCoding;  // q256.cc
extern const BlockCoding kIq4NlCoding, kIq4XsCoding;                                  // iq4.cc
extern const BlockCoding kMxfp4Coding;  // fp4_blocks.cc

inline int byte_at(const std::byte* data, int64_t index) {
  return std::to_integer<int>(data[index]);
}

inline float f16_at(const std::byte* data) {
  return f16_decode(load_little_endian<uint16_t>(data));
}

inline uint16_t half_bits_at(const std::byte* data) { return load_little_endian<uint16_t>(data); }

// Item i of a group of 32 (or of `half` * 2) whose first half lies in the low nibbles.
inline int split_nibble(const std::byte* data, int i, int half = 16) {
  const int pair = byte_at(data, i % half);
  return i < half ? pair & 15 : pair >> 4;
}

// Sixteen bytes of split nibbles -> 32 codes
inline void split_nibbles(const std::byte* pairs, uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    const auto pair = std::to_integer<uint8_t>(pairs[i]);
    codes[i] = pair & 15;
    codes[i + 16] = pair >> 4;
  }
}

// Item i of 256 two-bit numbers: 128 after 128, and of these item i % 32 shares a byte with those
// 32 apart.
inline int wide_crumb(const std::byte* data, int i) {
  return (byte_at(data, 32 * (i / 128) + i % 32) >> (2 * (i / 32 % 4))) & 3;
}

// The sign of item i of 8 in a byte of sign bits.
inline float sign_of(int signs, int i) { return (signs >> i & 1) != 0 ? -1.0F : 1.0F; }

// Eight signs of which seven are stored: an even number of them is negative.
inline int with_parity(uint32_t seven_signs) {
  const int signs = static_cast<int>(seven_signs & 127);
  return signs | (__builtin_popcount(seven_signs & 127) & 1) << 7;
}

}  // namespace kvasir::blocks
