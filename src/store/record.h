// A record is a payload in a segment file, behind a header page that describes it.
//
// docs/segment_format.md shows every byte. Headers come from outside, so decoding trusts nothing.
// Pure functions of plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/digest.h"
#include "store/key.h"

namespace kvasir::store {

inline constexpr uint32_t kFormatVersion = 2;     // what is written
inline constexpr uint32_t kFormatVersionMin = 1;  // what is still read: no piece checks
inline constexpr bool is_readable_version(uint32_t version) {
  return version >= kFormatVersionMin && version <= kFormatVersion;
}
inline constexpr int64_t kPageBytes = 4096;  // headers fill one, payloads are padded to whole ones
inline constexpr int64_t kRecordTokensMax = 128;
inline constexpr int64_t kPayloadBytesMax = int64_t{1} << 30;

inline constexpr int64_t padded_to_pages(int64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// A RecordInfo says what is known of a record without its token ids.
struct RecordInfo {
  RecordId id;
  Key parent{};  // the block without which this record is of no use; a first block's is the root
                 // key
  Key model{};   // fingerprint
  int64_t token_begin = 0;  // position of a block's first token; where a state stands
  int64_t token_count = 0;  // 0 for a state
  int64_t payload_bytes = 0;
  Digest128 payload_digest{};
  int64_t created_s = 0;         // seconds since 1970
  uint64_t sequence_number = 0;  // of two records with one id the higher one counts

  int64_t token_end() const { return token_begin + token_count; }
  bool is_first_block() const { return id.kind == Kind::kBlock && token_begin == 0; }
  // Bytes in a segment, header and padding included.
  int64_t record_bytes() const { return kPageBytes + padded_to_pages(payload_bytes); }
  bool operator==(const RecordInfo&) const = default;
};

// PieceChecks are checks of a payload's consecutive pieces, so that a part of it can be read and
// proven alone. They lie in the header, apart from the pieces, so bytes of another record fail too.
// Example: a payload of 10,000 bytes in pieces of 4,096 has three checks; the last is of 1,808.
struct PieceChecks {
  int64_t piece_bytes = 0;       // whole pages; 0: the payload has no checks of its pieces
  std::vector<uint64_t> values;  // XXH3-64, of the last piece without the padding behind it
};

struct RecordHeader {
  RecordInfo info;
  uint64_t segment_number = 0;  // where it was written: a page read from elsewhere is told
  int64_t offset_bytes = 0;
  std::vector<int32_t> tokens;  // [info.token_count]
  PieceChecks checks;           // of a block
};

// Returns the smallest size of pieces, in whole pages, for which all checks fit into a header.
int64_t piece_bytes_for(int64_t payload_bytes);
// Counts the pieces; the last one may be short.
int64_t piece_count(int64_t payload_bytes, int64_t piece_bytes);
PieceChecks checks_of_pieces(std::span<const std::byte> payload);

using Page = std::array<std::byte, kPageBytes>;
using PageBuffer = AlignedBuffer<std::byte, kPageBytes>;

// REQUIRES: sizes within the limits above.
Page encode_header(const RecordHeader& header);
// Null: the page is no header of this format, or damaged.
std::optional<RecordHeader> decode_header(std::span<const std::byte> page);

// A PageFrame is what headers and trailers of every version have in common.
struct PageFrame {
  uint32_t version = 0;
  uint64_t segment_number = 0;
  bool is_whole = false;  // its checksum holds
  bool is_of_another_version = false;
};
// Null: the page is neither a header nor a trailer.
std::optional<PageFrame> frame_of(std::span<const std::byte> page);

// Whether the numbers that a header or a footer entry states can be true.
bool is_plausible(const RecordInfo& info);

}  // namespace kvasir::store
