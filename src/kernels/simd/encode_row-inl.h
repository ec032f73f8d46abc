// encode_row writes cached rows, byte for byte like the scalar codec. Included once per instruction
// set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// E4M3 codes, round to nearest even, saturating; as kvasir::fp8_encode.
KVASIR_INLINE VecInt encode_fp8(Vec value) {
  const VecInt negative = and_bits(bits(value), broadcast_int(INT32_MIN));
  const Vec magnitude = min(abs(value), broadcast(448.0f));
  // Subnormals: adding 2^14 leaves the number of 2^-9 steps, rounded to even, in the low bits.
  const Vec anchor = broadcast(0x1p14f);
  const VecInt small = sub_int(bits(magnitude + anchor), bits(anchor));
  const VecInt odd = and_bits(shift_right<20>(bits(magnitude)), broadcast_int(1));
  const VecInt rounded = add_int(add_int(bits(magnitude), broadcast_int(0x7ffff)), odd);
  const VecInt large = sub_int(shift_right<20>(rounded), broadcast_int((127 - 7) << 3));
  const Vec code = select_less(magnitude, broadcast(0x1p-6f), from_bits(small), from_bits(large));
  return or_bits(bits(code), shift_right<24>(negative));
}

KVASIR_INLINE VecInt encode_bf16(Vec value) {
  const VecInt odd = and_bits(shift_right<16>(bits(value)), broadcast_int(1));
  return shift_right<16>(add_int(add_int(bits(value), broadcast_int(0x7fff)), odd));
}

KVASIR_INLINE float largest_magnitude(const float* values, int64_t size) {
  Vec largest = zero();
  for_each_vec(size, [&](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    largest = max(largest, abs(load(values + i, mask)));
  });
  return reduce_max(largest);
}

KVASIR_INLINE void encode_bf16_run(const float* source, int64_t size, uint8_t* target) {
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store_halves(target + 2 * i, encode_bf16(load(source + i, mask)), smaller(kLanes, size - i));
  });
}

void encode_fp8_row(const RowFormat& format, const float* source, uint8_t* row) {
  const int64_t code_count = format.dim - format.rope_dim;
  uint8_t* scales = row + code_count + 2 * format.rope_dim;
  for (int64_t begin = 0; begin < code_count; begin += kFp8GroupSize) {
    const int64_t size = smaller(kFp8GroupSize, code_count - begin);
    const float* group = source + begin;
    const uint8_t scale = fp8_grid_scale(largest_magnitude(group, size));
    *scales++ = scale;
    // The scale's inverse; scales lie between 2^-22 and 2^120, so it is a normal number.
    const Vec inverse = broadcast(kScaleTables.ue8m0[254 - scale]);
    for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
      // Adding zero turns -0 into +0.
      const Vec value = (load(group + i, mask) + zero()) * inverse;
      store_bytes(row + begin + i, encode_fp8(value), smaller(kLanes, size - i));
    });
  }
  encode_bf16_run(source + code_count, format.rope_dim, row + code_count);
  while (scales < row + format.bytes()) *scales++ = 0;
}

void encode_f32_row(const RowFormat& format, const float* source, uint8_t* row) {
  for_each_vec(format.dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store(reinterpret_cast<float*>(row + 4 * i), load(source + i, mask), mask);
  });
}

void encode_bf16_row(const RowFormat& format, const float* source, uint8_t* row) {
  encode_bf16_run(source, format.dim, row);
}

// Codes as kvasir::fp4_encode gives them: steps of 0.5 up to 2, of 1 up to 4, of 2 up to 6, each
// rounded to even in its own unit.
KVASIR_INLINE VecInt encode_fp4(Vec value) {
  const VecInt negative = and_bits(bits(value), broadcast_int(INT32_MIN));
  const Vec magnitude = min(abs(value), broadcast(6.0f));
  const Vec fine = round_to_even(magnitude * broadcast(2.0f));
  const Vec middle = round_to_even(magnitude) + broadcast(2.0f);
  const Vec coarse = round_to_even(magnitude * broadcast(0.5f)) + broadcast(4.0f);
  const Vec upper = select_less(magnitude, broadcast(4.0f), middle, coarse);
  const Vec code = select_less(magnitude, broadcast(2.0f), fine, upper);
  return or_bits(to_int(code), shift_right<28>(negative));
}

// A group of at most kNvfp4GroupSize values -> codes [size]. Returns its scale.
KVASIR_INLINE uint8_t encode_nvfp4_group(const float* group, int64_t size, uint8_t* codes) {
  const float amax = largest_magnitude(group, size);
  const uint8_t scale = fp8_encode(amax / kFp4Max / kNvfp4TensorScale);
  const float value = kScaleTables.nvfp4[scale];
  const Vec divisor = broadcast(value == 0 ? 1 : value);
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec quotient = (load(group + i, mask) + zero()) / divisor;
    store_bytes(codes + i, encode_fp4(quotient), smaller(kLanes, size - i));
  });
  return scale;
}

constexpr int64_t kNibbleRun = 2 * kPackedRunBytes;

// At most a run of codes, zeros behind `size`, as kernels/codecs/packed.h lays them out.
KVASIR_INLINE void pack_nibbles(const uint8_t (&codes)[kNibbleRun], int64_t size, uint8_t* target) {
  const bool is_whole = size == kNibbleRun;
  const int64_t step = is_whole ? 1 : 2;
  const int64_t distance = is_whole ? kPackedRunBytes : 1;
  for (int64_t j = 0; j < (size + 1) / 2; ++j)
    target[j] = static_cast<uint8_t>(codes[j * step] | codes[j * step + distance] << 4);
}

void encode_nvfp4_row(const RowFormat& format, const float* source, uint8_t* row) {
  const int64_t code_count = format.dim - format.rope_dim;
  uint8_t* halves = row + (code_count + 1) / 2;
  uint8_t* scales = halves + 2 * format.rope_dim;
  for (int64_t begin = 0; begin < code_count; begin += kNibbleRun) {
    const int64_t size = smaller(kNibbleRun, code_count - begin);
    uint8_t codes[kNibbleRun] = {};
    for (int64_t i = 0; i < size; i += kNvfp4GroupSize) {
      *scales++ =
          encode_nvfp4_group(source + begin + i, smaller(kNvfp4GroupSize, size - i), codes + i);
    }
    pack_nibbles(codes, size, row + begin / 2);
  }
  encode_bf16_run(source + code_count, format.rope_dim, halves);
  while (scales < row + format.bytes()) *scales++ = 0;
}

// Index keys are few, and written by the scalar codec.
void encode_key_row(const RowFormat& format, const float* source, uint8_t* row) {
  kernels::encode_row(format, source, reinterpret_cast<std::byte*>(row));
}

// Halves as kvasir::f16_encode gives them.
KVASIR_INLINE VecInt encode_f16(Vec value) {
  const VecInt negative = and_bits(bits(value), broadcast_int(INT32_MIN));
  const Vec magnitude = min(abs(value), broadcast(65504.0f));
  const Vec anchor = broadcast(0.5f);
  const VecInt small = sub_int(bits(magnitude + anchor), bits(anchor));
  const VecInt odd = and_bits(shift_right<13>(bits(magnitude)), broadcast_int(1));
  const VecInt rounded = add_int(add_int(bits(magnitude), broadcast_int(0xfff)), odd);
  const VecInt large = sub_int(shift_right<13>(rounded), broadcast_int(112 << 10));
  const Vec code = select_less(magnitude, broadcast(0x1p-14f), from_bits(small), from_bits(large));
  return or_bits(bits(code), shift_right<16>(negative));
}

void encode_f16_row(const RowFormat& format, const float* source, uint8_t* row) {
  for_each_vec(format.dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store_halves(row + 2 * i, encode_f16(load(source + i, mask)), smaller(kLanes, format.dim - i));
  });
}

void encode_e4m3_row(const RowFormat& format, const float* source, uint8_t* row) {
  for_each_vec(format.dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store_bytes(row + i, encode_fp8(load(source + i, mask)), smaller(kLanes, format.dim - i));
  });
}

// By CodecId.
using EncodeRow = void (*)(const RowFormat& format, const float* source, uint8_t* row);
constexpr EncodeRow kEncoders[kRowFormatCount] = {
    encode_f32_row,  encode_bf16_row,  encode_fp8_row, encode_key_row, encode_f16_row,
    encode_e4m3_row, encode_nvfp4_row, encode_key_row, encode_key_row};

void encode_row(const RowFormat& format, const float* source, std::byte* row) {
  kEncoders[static_cast<int>(format.codec)](format, source, reinterpret_cast<uint8_t*>(row));
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
