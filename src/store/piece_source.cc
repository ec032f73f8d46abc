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

bool PieceSource::is_right(int64_t piece, std::span<const std::byte> bytes) const {
  KVASIR_CHECK(piece >= 0 && piece < piece_count(), "a piece of the payload");
  const int64_t own_bytes =
      std::min(checks.piece_bytes, payload_bytes - piece * checks.piece_bytes);
  KVASIR_CHECK(own_bytes > 0 && own_bytes <= std::ssize(bytes), "the bytes of a whole piece");
  return xxh3_64(bytes.first(static_cast<size_t>(own_bytes))) ==
         checks.values[static_cast<size_t>(piece)];
}

}  // namespace kvasir::store
