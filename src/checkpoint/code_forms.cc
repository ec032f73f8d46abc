#include "checkpoint/code_forms.h"

#include "checkpoint/tensor_checks.h"
#include "kernels/weight_matrix.h"

namespace kvasir {
namespace {

int64_t parts(int64_t size, int64_t part) { return part == 0 ? 1 : (size + part - 1) / part; }

int64_t rounded_up(int64_t size, int64_t step) { return (size + step - 1) / step * step; }

ScaleTable table_of(const ScaleTile& tile, int64_t rows, int64_t cols) {
  const bool is_whole_row = tile.cols == 0 || tile.cols >= cols;
  return {.tile = {.rows = tile.rows == 0 ? rows : tile.rows,
                   .cols = is_whole_row ? rounded_up(cols, kernels::kFp8TileSize) : tile.cols},
          .rows = parts(rows, tile.rows),
          .cols = parts(cols, tile.cols)};
}

std::vector<int64_t> shape_of(const std::vector<int64_t>& lead, const ScaleTable& table) {
  std::vector<int64_t> shape = lead;
  shape.insert(shape.end(), {table.rows, table.cols});
  return shape;
}

bool fits(const StoredTensor& scale, std::vector<int64_t> shape) {
  if (has_shape(scale, shape)) return true;
  while (!shape.empty() && shape.back() == 1) {
    shape.pop_back();
    if (scale.info.shape == shape) return true;
  }
  return false;
}

}  // namespace

bool can_multiply(const ScaleTile& tile) {
  const int64_t cols = tile.cols;
  return tile.rows >= 0 && cols >= 0 &&
         (cols % kernels::kFp8TileSize == 0 || cols == 16 || cols == 32 || cols == 64);
}

std::optional<ScaleTable> find_scale_table(const CodeForms& forms, const StoredTensor& scale,
                                           const std::vector<int64_t>& lead, int64_t rows,
                                           int64_t cols) {
  for (const ScaleTile& tile : forms.tiles) {
    const ScaleTable table = table_of(tile, rows, cols);
    if (fits(scale, shape_of(lead, table))) return table;
  }
  return std::nullopt;
}

std::string scale_shapes_text(const CodeForms& forms, const std::vector<int64_t>& lead,
                              int64_t rows, int64_t cols) {
  std::string text;
  for (const ScaleTile& tile : forms.tiles) {
    const std::string one = shape_text(shape_of(lead, table_of(tile, rows, cols)));
    if (text.find(one) != std::string::npos) continue;
    text += (text.empty() ? "" : " or ") + one;
  }
  return text;
}

}  // namespace kvasir
