// Reading cached rows, value for value like the scalar codecs. Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

template <class LoadWhole, class LoadPart>
KVASIR_INLINE void decode_run(int64_t count, float* target, LoadWhole load_whole,
                              LoadPart load_part) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(target + i, load_whole(i));
  if (i < count) store(target + i, load_part(i, count - i), first_lanes(count - i));
}

KVASIR_INLINE void decode_bf16_run(const uint8_t* source, int64_t count, float* target) {
  decode_run(
      count, target, [=](int64_t i) { return load_bf16(source + 2 * i); },
      [=](int64_t i, int64_t left) { return load_bf16(source + 2 * i, left); });
}

KVASIR_INLINE void decode_f16_run(const uint8_t* source, int64_t count, float* target) {
  decode_run(
      count, target, [=](int64_t i) { return load_f16(source + 2 * i); },
      [=](int64_t i, int64_t left) { return load_f16(source + 2 * i, left); });
}

void decode_f32_row(const RowFormat& format, const uint8_t* row, float* target) {
  const auto at = [=](int64_t i) { return reinterpret_cast<const float*>(row + 4 * i); };
  decode_run(
      format.dim, target, [=](int64_t i) { return load(at(i)); },
      [=](int64_t i, int64_t left) { return load(at(i), first_lanes(left)); });
}

void decode_bf16_row(const RowFormat& format, const uint8_t* row, float* target) {
  decode_bf16_run(row, format.dim, target);
}

void decode_fp8_row(const RowFormat& format, const uint8_t* row, float* target) {
  const int64_t code_count = format.dim - format.rope_dim;
  const uint8_t* scales = row + code_count + 2 * format.rope_dim;
  for (int64_t begin = 0; begin < code_count; begin += kFp8GroupSize) {
    const Vec scale = broadcast(kScaleTables.ue8m0[scales[begin / kFp8GroupSize]]);
    // Two steps: the product of the factors may be beyond float32.
    const auto value = [=](Vec code) { return code * broadcast(kFp8Factor) * scale; };
    const uint8_t* codes = row + begin;
    decode_run(
        smaller(kFp8GroupSize, code_count - begin), target + begin,
        [=](int64_t i) { return value(load_fp8(codes + i)); },
        [=](int64_t i, int64_t left) { return value(load_fp8(codes + i, left)); });
  }
  decode_bf16_run(row + code_count, format.rope_dim, target + code_count);
}

void decode_f16_row(const RowFormat& format, const uint8_t* row, float* target) {
  decode_f16_run(row, format.dim, target);
}

void decode_e4m3_row(const RowFormat& format, const uint8_t* row, float* target) {
  decode_run(
      format.dim, target, [=](int64_t i) { return load_fp8(row + i) * broadcast(kFp8Factor); },
      [=](int64_t i, int64_t left) { return load_fp8(row + i, left) * broadcast(kFp8Factor); });
}

// Codes, halves and scales as codecs/nvfp4_row.cc lays them out.
void decode_nvfp4_row(const RowFormat& format, const uint8_t* row, float* target) {
  const int64_t code_count = format.dim - format.rope_dim;
  const uint8_t* halves = row + (code_count + 1) / 2;
  const uint8_t* scales = halves + 2 * format.rope_dim;
  const float* values = kScaleTables.fp4[kUnitScale];
  const int64_t whole = code_count - code_count % (2 * kPackedRunBytes);
  for_each_index<4>(row, whole, [&](int64_t i, VecInt codes) KVASIR_LAMBDA_INLINE {
    const float scale = kScaleTables.nvfp4[scales[i / kNvfp4GroupSize]];
    store(target + i, look_up_sixteen(values, codes) * broadcast(scale));
  });
  for (int64_t i = whole; i < code_count; ++i) {
    const int code = (row[i / 2] >> (i % 2 * 4)) & 15;
    target[i] = values[code] * kScaleTables.nvfp4[scales[i / kNvfp4GroupSize]];
  }
  decode_bf16_run(halves, format.rope_dim, target + code_count);
}

// Index keys are never attended; the scalar codec does for whoever asks.
void decode_key_row(const RowFormat& format, const uint8_t* row, float* target) {
  kernels::decode_row(format, reinterpret_cast<const std::byte*>(row), target);
}

// By CodecId.
using DecodeRow = void (*)(const RowFormat& format, const uint8_t* row, float* target);
constexpr DecodeRow kDecoders[kRowFormatCount] = {
    decode_f32_row,  decode_bf16_row,  decode_fp8_row, decode_key_row, decode_f16_row,
    decode_e4m3_row, decode_nvfp4_row, decode_key_row, decode_key_row};

void decode_rows(const RowFormat& format, const std::byte* const* rows, int64_t row_count,
                 float* decoded) {
  const DecodeRow decode = kDecoders[static_cast<int>(format.codec)];
  for (int64_t row = 0; row < row_count; ++row)
    decode(format, reinterpret_cast<const uint8_t*>(rows[row]), decoded + row * format.dim);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
