#include "kernels/weight_matrix.h"

#include "base/check.h"
#include "kernels/unaligned.h"
#include "numeric/bf16.h"
#include "numeric/f16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

float decode_fp8_element(const WeightMatrix& weight, int64_t row, int64_t column) {
  const int64_t tile_row = (weight.scale_row_offset + row) / kFp8TileSize;
  const int64_t index = tile_row * weight.scale_cols + column / kFp8TileSize;
  const float scale = weight.format == WeightFormat::kFp8ScaleF32
                          ? load_unaligned<float>(weight.scales + 4 * index)
                          : ue8m0_decode(load_unaligned<uint8_t>(weight.scales + index));
  return fp8_decode(load_unaligned<uint8_t>(weight.data + row * weight.cols + column)) * scale;
}

float decode_fp4_element(const WeightMatrix& weight, const std::byte* codes, int64_t row,
                         int64_t column) {
  const int64_t scale_row = weight.scale_row_offset + row;
  const std::byte* scale = weight.scales + scale_row * weight.scale_cols + column / kFp4GroupSize;
  const auto pair = load_unaligned<uint8_t>(codes + column / 2);
  const auto code = static_cast<uint8_t>(column % 2 == 0 ? pair & 15 : pair >> 4);
  return fp4_decode(code) * ue8m0_decode(load_unaligned<uint8_t>(scale));
}

}  // namespace

int64_t weight_row_bytes(WeightFormat format, int64_t cols) {
  switch (format) {
    case WeightFormat::kF32:
      return 4 * cols;
    case WeightFormat::kF16:
    case WeightFormat::kBf16:
      return 2 * cols;
    case WeightFormat::kFp8ScaleE8m0:
    case WeightFormat::kFp8ScaleF32:
      return cols;
    case WeightFormat::kFp4ScaleE8m0:
      return (cols + 1) / 2;
  }
  KVASIR_CHECK(false, "no such weight format");
}

void decode_weight_row(const WeightMatrix& weight, int64_t row, float* out) {
  const std::byte* codes = weight.data + row * weight_row_bytes(weight.format, weight.cols);
  for (int64_t column = 0; column < weight.cols; ++column) {
    switch (weight.format) {
      case WeightFormat::kF32:
        out[column] = load_unaligned<float>(codes + 4 * column);
        break;
      case WeightFormat::kF16:
        out[column] = f16_decode(load_unaligned<uint16_t>(codes + 2 * column));
        break;
      case WeightFormat::kBf16:
        out[column] = bf16_decode(load_unaligned<uint16_t>(codes + 2 * column));
        break;
      case WeightFormat::kFp8ScaleE8m0:
      case WeightFormat::kFp8ScaleF32:
        out[column] = decode_fp8_element(weight, row, column);
        break;
      case WeightFormat::kFp4ScaleE8m0:
        out[column] = decode_fp4_element(weight, codes, row, column);
        break;
    }
  }
}

}  // namespace kvasir::kernels
