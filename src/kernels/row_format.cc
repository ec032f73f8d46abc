#include "kernels/row_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/unaligned.h"
#include "numeric/bf16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRowAlignmentBytes = 8;

// The golden codec files store -0 as +0; a negative value that rounds to zero keeps its sign.
float plus_zero(float value) { return value + 0.0f; }

float largest_magnitude(const float* values, int64_t size) {
  float amax = 0;
  for (int64_t i = 0; i < size; ++i) amax = std::max(amax, std::fabs(values[i]));
  return amax;
}

void encode_bf16(const float* source, int64_t size, std::byte* target) {
  for (int64_t i = 0; i < size; ++i) store_unaligned(target + 2 * i, bf16_encode(source[i]));
}

void decode_bf16(const std::byte* source, int64_t size, float* target) {
  for (int64_t i = 0; i < size; ++i)
    target[i] = bf16_decode(load_unaligned<uint16_t>(source + 2 * i));
}

void encode_native_row(const RowFormat& format, const float* source, std::byte* row) {
  const int64_t code_count = format.code_count();
  std::byte* scales = row + code_count + 2 * format.rope_dim;
  for (int64_t group = 0; group < format.scale_count(); ++group) {
    const int64_t begin = group * kRowScaleGroupSize;
    const int64_t end = std::min(begin + kRowScaleGroupSize, code_count);
    const uint8_t scale = fp8_grid_scale(largest_magnitude(source + begin, end - begin));
    scales[group] = std::byte{scale};
    for (int64_t i = begin; i < end; ++i)
      row[i] = std::byte{fp8_encode(plus_zero(source[i]) / ue8m0_decode(scale))};
  }
  encode_bf16(source + code_count, format.rope_dim, row + code_count);
  std::byte* padding = scales + format.scale_count();
  std::fill(padding, row + format.bytes(), std::byte{0});
}

void decode_native_row(const RowFormat& format, const std::byte* row, float* target) {
  const int64_t code_count = format.code_count();
  const std::byte* scales = row + code_count + 2 * format.rope_dim;
  for (int64_t i = 0; i < code_count; ++i) {
    const auto scale = static_cast<uint8_t>(scales[i / kRowScaleGroupSize]);
    target[i] = fp8_decode(static_cast<uint8_t>(row[i])) * ue8m0_decode(scale);
  }
  decode_bf16(row + code_count, format.rope_dim, target + code_count);
}

void encode_native_key(const KeyFormat& format, const float* source, std::byte* key) {
  std::byte* scales = key + (format.dim + 1) / 2;
  std::fill(key, scales, std::byte{0});
  for (int64_t group = 0; group < format.scale_count(); ++group) {
    const int64_t begin = group * kFp4GroupSize;
    const int64_t end = std::min(begin + kFp4GroupSize, format.dim);
    const uint8_t scale = fp4_grid_scale(largest_magnitude(source + begin, end - begin));
    scales[group] = std::byte{scale};
    for (int64_t i = begin; i < end; ++i) {
      const std::byte code{fp4_encode(plus_zero(source[i]) / ue8m0_decode(scale))};
      key[i / 2] |= i % 2 == 0 ? code : code << 4;
    }
  }
}

void decode_native_key(const KeyFormat& format, const std::byte* key, float* target) {
  const std::byte* scales = key + (format.dim + 1) / 2;
  for (int64_t i = 0; i < format.dim; ++i) {
    const auto pair = static_cast<uint8_t>(key[i / 2]);
    const auto code = static_cast<uint8_t>(i % 2 == 0 ? pair & 15 : pair >> 4);
    target[i] = fp4_decode(code) * ue8m0_decode(static_cast<uint8_t>(scales[i / kFp4GroupSize]));
  }
}

}  // namespace

int64_t RowFormat::bytes() const {
  if (precision == CachePrecision::kF32) return 4 * dim;
  if (precision == CachePrecision::kBf16) return 2 * dim;
  const int64_t used_bytes = code_count() + 2 * rope_dim + scale_count();
  return (used_bytes + kRowAlignmentBytes - 1) / kRowAlignmentBytes * kRowAlignmentBytes;
}

int64_t KeyFormat::scale_count() const { return (dim + kFp4GroupSize - 1) / kFp4GroupSize; }

int64_t KeyFormat::bytes() const {
  if (precision == CachePrecision::kF32) return 4 * dim;
  if (precision == CachePrecision::kBf16) return 2 * dim;
  return (dim + 1) / 2 + scale_count();
}

void encode_row(const RowFormat& format, const float* source, std::byte* row) {
  switch (format.precision) {
    case CachePrecision::kNative:
      return encode_native_row(format, source, row);
    case CachePrecision::kBf16:
      return encode_bf16(source, format.dim, row);
    case CachePrecision::kF32:
      std::memcpy(row, source, 4 * format.dim);
  }
}

void decode_row(const RowFormat& format, const std::byte* row, float* target) {
  switch (format.precision) {
    case CachePrecision::kNative:
      return decode_native_row(format, row, target);
    case CachePrecision::kBf16:
      return decode_bf16(row, format.dim, target);
    case CachePrecision::kF32:
      std::memcpy(target, row, 4 * format.dim);
  }
}

void encode_key(const KeyFormat& format, const float* source, std::byte* key) {
  switch (format.precision) {
    case CachePrecision::kNative:
      return encode_native_key(format, source, key);
    case CachePrecision::kBf16:
      return encode_bf16(source, format.dim, key);
    case CachePrecision::kF32:
      std::memcpy(key, source, 4 * format.dim);
  }
}

void decode_key(const KeyFormat& format, const std::byte* key, float* target) {
  switch (format.precision) {
    case CachePrecision::kNative:
      return decode_native_key(format, key, target);
    case CachePrecision::kBf16:
      return decode_bf16(key, format.dim, target);
    case CachePrecision::kF32:
      std::memcpy(target, key, 4 * format.dim);
  }
}

}  // namespace kvasir::kernels
