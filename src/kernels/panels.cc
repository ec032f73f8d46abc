#include "kernels/panels.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kFp4Cols = 32;

// What FP4 under a scale of its own shares with the block type of the same numbers.
const BlockCoding& fp4_coding() { return *block_type_of(Dtype::kMxfp4)->coding; }

void read_fp4(const WeightMatrix& weight, int64_t row, int64_t column, BlockCodes& out) {
  const std::byte* pairs = weight_row(weight, row) + column / 2;
  for (size_t i = 0; i < kFp4Cols / 2; ++i) {
    const auto pair = std::to_integer<uint8_t>(pairs[i]);
    out.codes[2 * i] = pair & 15;
    out.codes[2 * i + 1] = pair >> 4;
  }
  const int64_t scale_row = weight.scale_row_offset + row * weight.row_step;
  out.exponent =
      std::to_integer<uint8_t>(weight.scales[scale_row * weight.scale_cols + column / kFp4Cols]);
}

int64_t scale_bytes(const BlockCoding& coding, int64_t cols) {
  const int64_t runs = cols / coding.run_items;
  switch (coding.scale_form) {
    case ScaleForm::kHalf:
      return 2 * kPanelRows;
    case ScaleForm::kHalfAndMinimum:
      return 4 * kPanelRows;
    case ScaleForm::kSteps:
      return (2 + runs) * kPanelRows;
    case ScaleForm::kStepsAndMinima:
      return (4 + 2 * runs) * kPanelRows;
    case ScaleForm::kExponent:
      break;
  }
  return kPanelRows;
}

template <class T>
uint8_t* put(T value, int64_t lane, uint8_t* sixteen) {
  std::memcpy(sixteen + lane * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  return sixteen + kPanelRows * static_cast<int64_t>(sizeof(T));
}

void put_scales(const BlockCoding& coding, const BlockCodes& codes, int64_t cols, int64_t lane,
                uint8_t* unit) {
  if (coding.scale_form == ScaleForm::kExponent) {
    put(codes.exponent, lane, unit);
    return;
  }
  unit = put(codes.scale, lane, unit);
  if (coding.has_minima()) unit = put(codes.minimum, lane, unit);
  if (coding.scale_form != ScaleForm::kSteps && coding.scale_form != ScaleForm::kStepsAndMinima)
    return;
  const auto runs = static_cast<size_t>(cols / coding.run_items);
  for (size_t run = 0; run < runs; ++run) unit = put(codes.steps[run], lane, unit);
  if (!coding.has_minima()) return;
  for (size_t run = 0; run < runs; ++run) unit = put(codes.minimum_steps[run], lane, unit);
}

// Eight codes of a row become the four bytes of a lane, or eight in two vectors.
void put_codes(const BlockCoding& coding, const uint8_t* codes, int64_t cols, int64_t lane,
               uint8_t* target) {
  for (int64_t k = 0; k < cols; k += 8) {
    uint32_t low, high;
    std::memcpy(&low, codes + k, 4);
    std::memcpy(&high, codes + k + 4, 4);
    if (coding.code_bits == 4) {
      target = put(low | high << 4, lane, target);
    } else {
      target = put(high, lane, put(low, lane, target));
    }
  }
}

}  // namespace

const BlockCoding* coding_of(const WeightMatrix& weight) {
  if (weight.format == WeightFormat::kFp4ScaleE8m0 && weight.cols % kFp4Cols == 0)
    return &fp4_coding();
  return weight.format == WeightFormat::kBlocks ? weight.blocks->coding : nullptr;
}

int64_t unit_cols(const WeightMatrix& weight) {
  return weight.format == WeightFormat::kBlocks ? weight.blocks->block_items : kFp4Cols;
}

int64_t unit_bytes(const WeightMatrix& weight) {
  const BlockCoding& coding = *coding_of(weight);
  const int64_t cols = unit_cols(weight);
  return scale_bytes(coding, cols) + kPanelRows * cols * coding.code_bits / 8;
}

int64_t panel_bytes(const WeightMatrix& weight) {
  return weight.cols / unit_cols(weight) * unit_bytes(weight);
}

int64_t panels_bytes(const WeightMatrix& weight) {
  return (weight.rows + kPanelRows - 1) / kPanelRows * panel_bytes(weight);
}

void read_codes(const WeightMatrix& weight, int64_t row, int64_t column, BlockCodes& out) {
  if (weight.format == WeightFormat::kFp4ScaleE8m0) return read_fp4(weight, row, column, out);
  const BlockType& type = *weight.blocks;
  const int64_t block = column / type.block_items;
  type.coding->read(weight_row(weight, row) + block * type.block_bytes, out);
}

void pack_panel(const WeightMatrix& weight, int64_t row, uint8_t* panel) {
  const BlockCoding& coding = *coding_of(weight);
  const int64_t cols = unit_cols(weight);
  const int64_t bytes = unit_bytes(weight);
  const int64_t lanes = std::min(kPanelRows, weight.rows - row);
  if (lanes < kPanelRows) std::memset(panel, 0, static_cast<size_t>(panel_bytes(weight)));
  BlockCodes codes{};
  for (int64_t column = 0; column < weight.cols; column += cols, panel += bytes) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
      read_codes(weight, row + lane, column, codes);
      put_scales(coding, codes, cols, lane, panel);
      put_codes(coding, codes.codes.data(), cols, lane, panel + scale_bytes(coding, cols));
    }
  }
}

}  // namespace kvasir::kernels
