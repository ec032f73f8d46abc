#include "checkpoint/panel_pieces.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/panels.h"

namespace kvasir {
namespace {

constexpr int64_t kPieceRows = 16 * kernels::kPanelRows;

}  // namespace

std::vector<PanelPiece> panel_pieces(std::span<const kernels::WeightMatrix> matrices) {
  std::vector<PanelPiece> pieces;
  for (size_t i = 0; i < matrices.size(); ++i) {
    const int64_t panel_bytes = kernels::panel_bytes(matrices[i]);
    const int64_t rows = matrices[i].rows;
    for (int64_t row = 0; row < rows; row += kPieceRows) {
      const int64_t end = std::min(rows, row + kPieceRows);
      const int64_t panels = (end - row + kernels::kPanelRows - 1) / kernels::kPanelRows;
      pieces.push_back({.matrix = i,
                        .row = row,
                        .end_row = end,
                        .offset_bytes = row / kernels::kPanelRows * panel_bytes,
                        .bytes = panels * panel_bytes});
    }
  }
  return pieces;
}

void pack_piece(const kernels::WeightMatrix& matrix, const PanelPiece& piece, uint8_t* target) {
  const int64_t bytes = kernels::panel_bytes(matrix);
  for (int64_t row = piece.row; row < piece.end_row; row += kernels::kPanelRows, target += bytes)
    kernels::pack_panel(matrix, row, target);
}

std::vector<Digest128> panel_digests(std::span<const PanelPiece> pieces,
                                     std::span<const Digest128> digests_of_pieces) {
  KVASIR_CHECK(pieces.size() == digests_of_pieces.size(), "a digest for each piece");
  std::vector<Digest128> digests;
  for (size_t begin = 0, end = 0; begin < pieces.size(); begin = end) {
    while (end < pieces.size() && pieces[end].matrix == pieces[begin].matrix) ++end;
    digests.push_back(xxh3_128(std::as_bytes(digests_of_pieces.subspan(begin, end - begin))));
  }
  return digests;
}

}  // namespace kvasir
