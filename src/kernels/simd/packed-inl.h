// Codes of 2 to 4 bits as codecs pack them (kernels/codecs/packed.h), as vectors. Included once per
// instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

constexpr int64_t kPackedRunBytes = 16;
constexpr int kUnitScale = 127;  // UE8M0's

// Whether the codes of a row are whole runs, which is what these loops take.
template <int kBits>
KVASIR_INLINE bool has_whole_runs(int64_t count) {
  return count % (kPackedRunBytes * 8 / (kBits == 4 ? 4 : 2)) == 0;
}

// use(i, codes) for the codes [i, i + kLanes) of the parts from kPart on of a run's bytes.
template <int kBits, int kPart, class Use>
KVASIR_INLINE void use_parts(VecInt bytes, int64_t i, const Use& use) {
  constexpr int kCodesOfByte = 8 / kBits;
  const VecInt shifted = shift_right<kBits * kPart>(bytes);
  const bool is_last = kPart + 1 == kCodesOfByte;
  use(i, is_last ? shifted : and_bits(shifted, broadcast_int((1 << kBits) - 1)));
  if constexpr (kPart + 1 < kCodesOfByte)
    use_parts<kBits, kPart + 1>(bytes, i + kPackedRunBytes, use);
}

// use(i, codes) for all codes of a plane of 2 or 4 bits, kLanes at a time.
template <int kBits, class Use>
KVASIR_INLINE void for_each_code_of_plane(const uint8_t* packed, int64_t count, const Use& use) {
  constexpr int64_t kRunCodes = kPackedRunBytes * 8 / kBits;
  for (int64_t run = 0; run < count; run += kRunCodes, packed += kPackedRunBytes) {
    KVASIR_UNROLL
    for (int64_t lane = 0; lane < kPackedRunBytes; lane += kLanes)
      use_parts<kBits, 0>(load_byte_lanes(packed + lane), run + lane, use);
  }
}

alignas(64) constexpr int32_t kLaneBits[16] = {1 << 0,  1 << 1,  1 << 2,  1 << 3, 1 << 4,  1 << 5,
                                               1 << 6,  1 << 7,  1 << 8,  1 << 9, 1 << 10, 1 << 11,
                                               1 << 12, 1 << 13, 1 << 14, 1 << 15};
// 4 / lane bit
alignas(64) constexpr float kThirdBit[16] = {
    0x1p2f,  0x1p1f,  0x1p0f,  0x1p-1f, 0x1p-2f,  0x1p-3f,  0x1p-4f,  0x1p-5f,
    0x1p-6f, 0x1p-7f, 0x1p-8f, 0x1p-9f, 0x1p-10f, 0x1p-11f, 0x1p-12f, 0x1p-13f};

// 4 where the bit is set. Exact.
KVASIR_INLINE Vec third_bits(const uint8_t* bits, int64_t i) {
  const int32_t word = bits[i / 8] | bits[i / 8 + 1] << 8;
  const VecInt lane_bits = load_bytes(reinterpret_cast<const uint8_t*>(kLaneBits));
  return to_float(and_bits(broadcast_int(word), lane_bits)) * load(kThirdBit);
}

// use(i, codes) for all codes as int32, of which the low four bits count. REQUIRES: whole runs.
template <int kBits, class Use>
KVASIR_INLINE void for_each_index(const uint8_t* packed, int64_t count, const Use& use) {
  if constexpr (kBits == 3) {
    const uint8_t* high = packed + count / 4;
    for_each_code_of_plane<2>(packed, count, [&](int64_t i, VecInt low) KVASIR_LAMBDA_INLINE {
      use(i, add_int(low, to_int(third_bits(high, i))));
    });
  } else {
    for_each_code_of_plane<kBits>(packed, count, use);
  }
}

// use(i, codes) for all codes as floats. REQUIRES: whole runs.
template <int kBits, class Use>
KVASIR_INLINE void for_each_code(const uint8_t* packed, int64_t count, const Use& use) {
  if constexpr (kBits == 3) {
    const uint8_t* high = packed + count / 4;
    for_each_code_of_plane<2>(packed, count, [&](int64_t i, VecInt low) KVASIR_LAMBDA_INLINE {
      use(i, to_float(low) + third_bits(high, i));
    });
  } else {
    for_each_code_of_plane<kBits>(packed, count, [&](int64_t i, VecInt codes) KVASIR_LAMBDA_INLINE {
      use(i, to_float(codes));
    });
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
