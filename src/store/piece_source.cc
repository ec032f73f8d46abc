#include "store/piece_source.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::store {

int64_t PieceSource::offset_bytes(const Place& record, int64_t piece) const {
  return record.offset_bytes + kPageBytes + piece * checks.piece_bytes;
}

int64_t PieceSource::stored_bytes(int64_t piece) const {
  KVASIR_CHECK(piece >= 0 && piece < piece_count(), "a piece of the payload");
  return std::min(checks.piece_bytes, padded_to_pages(payload_bytes) - piece * checks.piece_bytes);
}

int64_t proof_bytes(int64_t payload_bytes, int64_t head_bytes) {
  const int64_t piece_bytes = piece_bytes_for(payload_bytes);
  return std::min(store::piece_count(head_bytes, piece_bytes) * piece_bytes,
                  padded_to_pages(payload_bytes));
}

bool PieceSource::is_right_head(std::span<const std::byte> bytes, int64_t head_bytes) const {
  KVASIR_CHECK(std::ssize(bytes) == proof_bytes(payload_bytes, head_bytes), "whole pieces");
  for (int64_t piece = 0; piece * checks.piece_bytes < head_bytes; ++piece) {
    if (!is_right(piece, bytes.subspan(static_cast<size_t>(piece * checks.piece_bytes)))) {
      return false;
    }
  }
  return true;
}

bool PieceSource::is_right(int64_t piece, std::span<const std::byte> bytes) const {
  KVASIR_CHECK(piece >= 0 && piece < piece_count(), "a piece of the payload");
  const int64_t own_bytes =
      std::min(checks.piece_bytes, payload_bytes - piece * checks.piece_bytes);
  KVASIR_CHECK(own_bytes > 0 && own_bytes <= std::ssize(bytes), "the bytes of a whole piece");
  return xxh3_64(bytes.first(static_cast<size_t>(own_bytes))) ==
         checks.values[static_cast<size_t>(piece)];
}

}  // namespace kvasir::store
