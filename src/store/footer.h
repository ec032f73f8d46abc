// A footer lists a segment's records at its end, so that opening a store reads one place of a
// segment instead of every header. A segment without a valid footer is scanned.
//
// A footer consists of entries, padding and one trailer page, which says where the entries are and
// what their digest is. docs/segment_format.md shows every byte. Pure functions of plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "store/record.h"

namespace kvasir::store {

struct PlacedRecord {
  RecordInfo info;
  int64_t offset_bytes = 0;  // of the header
  bool operator==(const PlacedRecord&) const = default;
};

inline constexpr int64_t kFooterEntryBytes = 160;

struct Trailer {
  uint64_t segment_number = 0;
  int64_t entries_offset_bytes = 0;  // where the records end
  int64_t entry_count = 0;
  Digest128 entries_digest{};
};

// Returns entries, padding and trailer, to be written at `offset_bytes`.
std::vector<std::byte> encode_footer(uint64_t segment_number, int64_t offset_bytes,
                                     std::span<const PlacedRecord> records);

// Null: the page is no trailer, is damaged, or does not fit a file of that size.
std::optional<Trailer> decode_trailer(std::span<const std::byte> page, int64_t file_bytes);

// Null: these are not the entries the trailer means, or they cannot be true. Every record must lie
// before the footer and begin on a page; records ascend and do not overlap.
std::optional<std::vector<PlacedRecord>> decode_entries(const Trailer& trailer,
                                                        std::span<const std::byte> bytes);

inline int64_t footer_bytes(int64_t record_count) {
  return padded_to_pages(record_count * kFooterEntryBytes) + kPageBytes;
}

}  // namespace kvasir::store
