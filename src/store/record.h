// Record: a payload in a segment file, behind a header page that describes it.
// docs/segment_format.md shows every byte. Headers come from outside: decoding trusts nothing.
// Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "store/key.h"

namespace kvasir::store {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr int64_t kPageBytes = 4096;  // headers fill one, payloads are padded to whole ones
inline constexpr int64_t kRecordTokensMax = 128;
inline constexpr int64_t kPayloadBytesMax = int64_t{1} << 30;

inline constexpr int64_t padded_to_pages(int64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// What is known of a record without its token ids.
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
  // In its segment, header and padding included.
  int64_t record_bytes() const { return kPageBytes + padded_to_pages(payload_bytes); }
  bool operator==(const RecordInfo&) const = default;
};

struct RecordHeader {
  RecordInfo info;
  uint64_t segment_number = 0;  // where it was written: a page read from elsewhere is told
  int64_t offset_bytes = 0;
  std::vector<int32_t> tokens;  // [info.token_count]
};

using Page = std::array<std::byte, kPageBytes>;

// REQUIRES: sizes within the limits above.
Page encode_header(const RecordHeader& header);
// Null: not a header of this format, or damaged.
std::optional<RecordHeader> decode_header(std::span<const std::byte> page);

// Whether the numbers that a header or a footer entry states can be true.
bool is_plausible(const RecordInfo& info);

}  // namespace kvasir::store
