// Panels are how integer products (docs/numerics.md) want the rows of a matrix: sixteen
// side by side, so that a vector's lanes are rows and each lane sums its own. A matrix is put in
// panels when it is loaded, or a few rows at a time while it is multiplied. Either way the bytes
// are these, for every instruction set.
//
// A panel is a unit for each block of columns: what scales of the sixteen rows are made of, then
// their codes, 32 columns after 32. Rows beyond the matrix have zeros.
//   scales, sixteen of each kind, by the type's ScaleForm: d, m (f16); s, t (bytes) run after run;
//   e (bytes)
//   codes of 8 bits: columns 4 q to 4 q + 3 of row r at byte 64 q + 4 r, q = 0 .. 7
//   codes of 4 bits: columns 8 q to 8 q + 3 in the low nibbles of these, the next four in the high
//   ones, q = 0 .. 3
//
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/weight_matrix.h"
#include "numeric/blocks/block_codes.h"

namespace kvasir::kernels {

inline constexpr int64_t kPanelRows = 16;

// How a matrix's numbers are integers with scales. Null: products of it are those of floats.
const BlockCoding* coding_of(const WeightMatrix& weight);
// Columns of a unit. REQUIRES: coding_of(weight), here and below.
int64_t unit_cols(const WeightMatrix& weight);
int64_t unit_bytes(const WeightMatrix& weight);
int64_t panel_bytes(const WeightMatrix& weight);   // of all columns
int64_t panels_bytes(const WeightMatrix& weight);  // of all rows

// The block of a row at a multiple of unit_cols, taken apart.
void read_codes(const WeightMatrix& weight, int64_t row, int64_t column, BlockCodes& out);

// Rows [row, row + kPanelRows), those of them that there are, to panel [panel_bytes].
void pack_panel(const WeightMatrix& weight, int64_t row, uint8_t* panel);

}  // namespace kvasir::kernels
