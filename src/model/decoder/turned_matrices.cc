#include "model/decoder/turned_matrices.h"

#include <cstring>

namespace kvasir::model::decoder {
namespace {

using kernels::WeightFormat;
using kernels::WeightMatrix;

bool is_plain(WeightFormat format) {
  return format == WeightFormat::kF32 || format == WeightFormat::kF16 ||
         format == WeightFormat::kBf16;
}

WeightFormat turned_format(WeightFormat stored) {
  return is_plain(stored) ? stored : WeightFormat::kF32;
}

int64_t element_bytes(WeightFormat plain) { return plain == WeightFormat::kF32 ? 4 : 2; }

// Row `row` as plain numbers; `decoded` [cols] holds them where they are not stored so.
const std::byte* plain_row(const WeightMatrix& matrix, int64_t row, std::vector<float>& decoded) {
  if (is_plain(matrix.format)) {
    return kernels::weight_row(matrix, row);
  }
  kernels::decode_weight_row(matrix, row, decoded.data());
  return reinterpret_cast<const std::byte*>(decoded.data());
}

}  // namespace

Status TurnedMatrices::add(const WeightMatrix& stored, int64_t first, int64_t step,
                           WeightMatrix& out) {
  const WeightFormat format = turned_format(stored.format);
  const int64_t rows = stored.cols / step;
  KVASIR_ASSIGN_OR_RETURN(std::byte * target,
                          memory_->place_for(rows * stored.rows * element_bytes(format)));
  out = {.format = format, .rows = rows, .cols = stored.rows, .data = target};
  turns_.push_back({.stored = stored, .first = first, .step = step, .target = target});
  return ok_status();
}

void TurnedMatrices::run() {
  for (const Turn& turn : turns_) {
    const WeightMatrix& stored = turn.stored;
    const int64_t size = element_bytes(turned_format(stored.format));
    std::vector<float> decoded(static_cast<size_t>(stored.cols));
    for (int64_t row = 0; row < stored.rows; ++row) {
      const std::byte* source = plain_row(stored, row, decoded);
      for (int64_t col = 0; col < stored.cols / turn.step; ++col) {
        std::memcpy(turn.target + (col * stored.rows + row) * size,
                    source + (turn.first + col * turn.step) * size, static_cast<size_t>(size));
      }
    }
  }
  turns_.clear();
}

}  // namespace kvasir::model::decoder
