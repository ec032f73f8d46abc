// CodeForms say how a checkpoint's matrices of 8-bit codes are scaled. Where several forms are
// possible, the shape of a matrix's scales tells which it is. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/tensor_directory.h"

namespace kvasir {

// A ScaleTile is the part of a matrix that shares a scale. 0: all rows, all columns.
struct ScaleTile {
  int64_t rows = 0;
  int64_t cols = 0;

  bool operator==(const ScaleTile&) const = default;
};

struct CodeForms {
  std::vector<ScaleTile> tiles = {{128, 128}};  // in the order in which they are tried
  bool has_int8 = false;                        // I8 holds whole codes; otherwise two of FP4 each
  bool checks_codes = false;  // for NaN, of checkpoints small enough to be read whole
};

// Whether products can be formed with scales of that tile.
bool can_multiply(const ScaleTile& tile);

// A matrix's table of scales: of the tile, in numbers that the kernels take.
struct ScaleTable {
  ScaleTile tile;
  int64_t rows = 0;
  int64_t cols = 0;
};

// The table whose shape the tensor has, of a matrix or, where `lead` is [count], of a stack of
// them. A column of scales may be stored as a vector, a single one also without extents.
std::optional<ScaleTable> find_scale_table(const CodeForms& forms, const StoredTensor& scale,
                                           const std::vector<int64_t>& lead, int64_t rows,
                                           int64_t cols);
// The shapes that it may have, for a message.
std::string scale_shapes_text(const CodeForms& forms, const std::vector<int64_t>& lead,
                              int64_t rows, int64_t cols);

}  // namespace kvasir
