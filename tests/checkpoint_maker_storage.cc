#include "checkpoint_maker_storage.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "numeric/bf16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::testing {
namespace {

using kernels::WeightFormat;

struct TileSize {
  int64_t rows;
  int64_t cols;
};

TileSize tile_size(WeightFormat format) {
  if (format == WeightFormat::kFp4ScaleE8m0) return {1, kFp4GroupSize};
  return {kernels::kFp8TileSize, kernels::kFp8TileSize};
}

// Half precision of the values that occur here: no overflow, no NaN, subnormals become zero.
uint16_t f16_encode(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const int exponent = static_cast<int>((bits >> 23) & 0xffu) - 127 + 15;
  if (exponent <= 0) return sign;
  const uint32_t rounded = ((static_cast<uint32_t>(exponent) << 23) | (bits & 0x7fffffu)) + 0x1000u;
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

float largest(const float* matrix, int64_t cols, int64_t row_begin, int64_t row_end,
              int64_t col_begin, int64_t col_end) {
  float amax = 0;
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t col = col_begin; col < col_end; ++col) {
      amax = std::max(amax, std::abs(matrix[row * cols + col]));
    }
  }
  return amax;
}

// The scale of a tile whose largest magnitude is `amax`.
void add_scale(WeightFormat format, float amax, Scales& scales) {
  if (format == WeightFormat::kFp8ScaleF32) {
    scales.numbers.push_back(amax / kFp8Max);
    append(scales.data, scales.numbers.back());
    return;
  }
  const bool is_fp4 = format == WeightFormat::kFp4ScaleE8m0;
  const uint8_t code = is_fp4 ? fp4_grid_scale(amax) : fp8_grid_scale(amax);
  scales.numbers.push_back(ue8m0_decode(code));
  append(scales.data, code);
}

}  // namespace

bool has_scales(WeightFormat format) {
  return format == WeightFormat::kFp4ScaleE8m0 || format == WeightFormat::kFp8ScaleE8m0 ||
         format == WeightFormat::kFp8ScaleF32;
}

std::vector<std::byte> encode_plain(const std::vector<float>& numbers, WeightFormat format) {
  std::vector<std::byte> data;
  for (const float value : numbers) {
    if (format == WeightFormat::kF32) append(data, value);
    if (format == WeightFormat::kBf16) append(data, bf16_encode(value));
    if (format == WeightFormat::kF16) append(data, f16_encode(value));
  }
  return data;
}

std::string plain_dtype(WeightFormat format) {
  if (format == WeightFormat::kF32) return "F32";
  KVASIR_CHECK(format == WeightFormat::kBf16 || format == WeightFormat::kF16, "not a plain format");
  return format == WeightFormat::kBf16 ? "BF16" : "F16";
}

Scales make_scales(const Values& values, WeightFormat format) {
  const auto [tile_rows, tile_cols] = tile_size(format);
  const int64_t rows = values.rows();
  const int64_t cols = values.cols();
  Scales scales{values.shape, {}, {}};
  scales.shape[scales.shape.size() - 2] = (rows + tile_rows - 1) / tile_rows;
  scales.shape.back() = (cols + tile_cols - 1) / tile_cols;
  for (int64_t index = 0; index < values.matrix_count(); ++index) {
    const float* matrix = values.numbers.data() + index * rows * cols;
    for (int64_t row = 0; row < rows; row += tile_rows) {
      for (int64_t col = 0; col < cols; col += tile_cols) {
        add_scale(format,
                  largest(matrix, cols, row, std::min(row + tile_rows, rows), col,
                          std::min(col + tile_cols, cols)),
                  scales);
      }
    }
  }
  return scales;
}

std::vector<std::byte> encode_scaled(const Values& values, const Scales& scales,
                                     WeightFormat format) {
  const bool is_fp4 = format == WeightFormat::kFp4ScaleE8m0;
  const auto [tile_rows, tile_cols] = tile_size(format);
  const int64_t scale_rows = scales.shape[scales.shape.size() - 2];
  const int64_t row_count = values.matrix_count() * values.rows();
  std::vector<std::byte> data;
  for (int64_t row = 0; row < row_count; ++row) {
    const int64_t scale_row = row / values.rows() * scale_rows + row % values.rows() / tile_rows;
    for (int64_t col = 0; col < values.cols(); ++col) {
      const auto at = static_cast<size_t>(scale_row * scales.shape.back() + col / tile_cols);
      const float value =
          values.numbers[static_cast<size_t>(row * values.cols() + col)] / scales.numbers[at];
      if (!is_fp4) {
        append(data, fp8_encode(value));
      } else if (col % 2 == 0) {
        append(data, fp4_encode(value));
      } else {
        data.back() |= static_cast<std::byte>(fp4_encode(value) << 4);
      }
    }
  }
  return data;
}

}  // namespace kvasir::testing
