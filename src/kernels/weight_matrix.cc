#include "kernels/weight_matrix.h"

#include "base/check.h"
#include "kernels/panels.h"
#include "kernels/unaligned.h"
#include "numeric/bf16.h"
#include "numeric/blocks/block_type.h"
#include "numeric/f16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

int64_t stored_row(const WeightMatrix& weight, int64_t row) {
  return weight.scale_row_offset + row * weight.row_step;
}

float ue8m0_tile_scale(const WeightMatrix& weight, int64_t row, int64_t column) {
  const int64_t tile_row = stored_row(weight, row) / kFp8TileSize;
  const int64_t index = tile_row * weight.scale_cols + column / kFp8TileSize;
  return ue8m0_decode(load_unaligned<uint8_t>(weight.scales + index));
}

float float_tile_scale(const WeightMatrix& weight, int64_t row, int64_t column) {
  const int64_t tile_row = stored_row(weight, row) / weight.tile_rows;
  const int64_t index = tile_row * weight.scale_cols + column / weight.tile_cols;
  return load_unaligned<float>(weight.scales + 4 * index);
}

// How many stored rows share a row of scales.
int64_t rows_of_a_scale(const WeightMatrix& weight) {
  switch (weight.format) {
    case WeightFormat::kFp8ScaleE8m0:
      return kFp8TileSize;
    case WeightFormat::kFp8ScaleF32:
    case WeightFormat::kInt8ScaleF32:
      return weight.tile_rows;
    default:
      return 1;
  }
}

// 0: it has no scales beside the codes.
int64_t scale_row_bytes(const WeightMatrix& weight) {
  switch (weight.format) {
    case WeightFormat::kFp8ScaleE8m0:
    case WeightFormat::kFp4ScaleE8m0:
      return weight.scale_cols;
    case WeightFormat::kFp8ScaleF32:
    case WeightFormat::kInt8ScaleF32:
      return weight.scale_cols * static_cast<int64_t>(sizeof(float));
    default:
      return 0;
  }
}

int64_t scale_rows_begin(const WeightMatrix& weight) {
  return stored_row(weight, 0) / rows_of_a_scale(weight);
}

int64_t scale_rows_end(const WeightMatrix& weight) {
  return stored_row(weight, weight.rows - 1) / rows_of_a_scale(weight) + 1;
}

float decode_fp4_element(const WeightMatrix& weight, const std::byte* codes, int64_t row,
                         int64_t column) {
  const std::byte* scale =
      weight.scales + stored_row(weight, row) * weight.scale_cols + column / kFp4GroupSize;
  const auto pair = load_unaligned<uint8_t>(codes + column / 2);
  const auto code = static_cast<uint8_t>(column % 2 == 0 ? pair & 15 : pair >> 4);
  return fp4_decode(code) * ue8m0_decode(load_unaligned<uint8_t>(scale));
}

float decode_element(const WeightMatrix& weight, const std::byte* codes, int64_t row,
                     int64_t column) {
  switch (weight.format) {
    case WeightFormat::kF32:
      return load_unaligned<float>(codes + 4 * column);
    case WeightFormat::kF16:
      return f16_decode(load_unaligned<uint16_t>(codes + 2 * column));
    case WeightFormat::kBf16:
      return bf16_decode(load_unaligned<uint16_t>(codes + 2 * column));
    case WeightFormat::kFp8ScaleE8m0:
      return fp8_decode(load_unaligned<uint8_t>(codes + column)) *
             ue8m0_tile_scale(weight, row, column);
    case WeightFormat::kFp8ScaleF32:
      return fp8_decode(load_unaligned<uint8_t>(codes + column)) *
             float_tile_scale(weight, row, column);
    case WeightFormat::kInt8ScaleF32:
      return static_cast<float>(load_unaligned<int8_t>(codes + column)) *
             float_tile_scale(weight, row, column);
    case WeightFormat::kFp4ScaleE8m0:
      return decode_fp4_element(weight, codes, row, column);
    case WeightFormat::kBlocks:
      break;
  }
  KVASIR_CHECK(false, "a format of single elements");
}

}  // namespace

int64_t weight_row_bytes(const WeightMatrix& weight) {
  const int64_t cols = weight.cols;
  switch (weight.format) {
    case WeightFormat::kF32:
      return 4 * cols;
    case WeightFormat::kF16:
    case WeightFormat::kBf16:
      return 2 * cols;
    case WeightFormat::kFp8ScaleE8m0:
    case WeightFormat::kFp8ScaleF32:
    case WeightFormat::kInt8ScaleF32:
      return cols;
    case WeightFormat::kFp4ScaleE8m0:
      return (cols + 1) / 2;
    case WeightFormat::kBlocks:
      return cols / weight.blocks->block_items * weight.blocks->block_bytes;
  }
  KVASIR_CHECK(false, "no such weight format");
}

const std::byte* weight_row(const WeightMatrix& weight, int64_t row) {
  return weight.data + row * weight.row_step * weight_row_bytes(weight);
}

std::span<const std::byte> weight_codes(const WeightMatrix& weight) {
  KVASIR_CHECK(weight.rows > 0, "a matrix that is there");
  const std::byte* last = weight_row(weight, weight.rows - 1);
  return {weight.data, last + weight_row_bytes(weight)};
}

int64_t weight_scale_bytes(const WeightMatrix& weight) {
  return (scale_rows_end(weight) - scale_rows_begin(weight)) * scale_row_bytes(weight);
}

std::span<const std::byte> weight_scales(const WeightMatrix& weight) {
  const int64_t bytes = weight_scale_bytes(weight);
  if (bytes == 0) return {};
  const std::byte* first = weight.scales + scale_rows_begin(weight) * scale_row_bytes(weight);
  return {first, static_cast<size_t>(bytes)};
}

WeightMatrix slice_rows(const WeightMatrix& matrix, int64_t begin, int64_t count) {
  WeightMatrix slice = matrix;
  slice.rows = count;
  slice.data = weight_row(matrix, begin);
  slice.scale_row_offset += begin * matrix.row_step;
  if (matrix.panels != nullptr) {
    KVASIR_CHECK(begin % kPanelRows == 0, "rows of a slice begin with a panel");
    slice.panels += begin / kPanelRows * panel_bytes(matrix);
  }
  return slice;
}

void decode_weight_row(const WeightMatrix& weight, int64_t row, float* out) {
  const std::byte* codes = weight_row(weight, row);
  if (weight.format == WeightFormat::kBlocks) {
    const int64_t block_count = weight.cols / weight.blocks->block_items;
    return decode_blocks(*weight.blocks, codes, block_count, out);
  }
  for (int64_t column = 0; column < weight.cols; ++column) {
    out[column] = decode_element(weight, codes, row, column);
  }
}

}  // namespace kvasir::kernels
