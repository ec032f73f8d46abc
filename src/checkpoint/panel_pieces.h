// Panels of matrices are made and checked piece by piece, each by one thread. A piece is sixteen
// panels of a matrix, or what is left of it. Plain values, pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/digest.h"
#include "kernels/weight_matrix.h"

namespace kvasir {

struct PanelPiece {
  size_t matrix = 0;  // which one of a list
  int64_t row = 0;
  int64_t end_row = 0;
  int64_t offset_bytes = 0;  // in the matrix's panels
  int64_t bytes = 0;
};

// Those of all matrices, one after another. REQUIRES: coding_of() each, rows.
std::vector<PanelPiece> panel_pieces(std::span<const kernels::WeightMatrix> matrices);

// Packs the rows of a piece to target [piece.bytes].
void pack_piece(const kernels::WeightMatrix& matrix, const PanelPiece& piece, uint8_t* target);

// Of each matrix the digest of the digests of its pieces, so that threads can share the work.
std::vector<Digest128> panel_digests(std::span<const PanelPiece> pieces,
                                     std::span<const Digest128> digests_of_pieces);

}  // namespace kvasir
