// The file of a ReplayBook: a header, then one record a turn, each with its length and a checksum.
//
//   "KVASIRRB", u32 version; records: u32 bytes, u64 XXH3 of the payload, payload
//   payload: shown, by_ids (16 bytes each), i32 opener, u16 count of names, names (16 bytes each),
//   i32 ids
//
// All little-endian. Digests are the first 16 bytes of a SHA-256 over the tenant and what they
// name. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "kvasir/result.h"

namespace kvasir::replay {

struct TurnRecord {
  Digest128 shown{};   // what the client was told
  Digest128 by_ids{};  // the ids before it
  int32_t opener = 0;  // the last of these
  std::vector<Digest128> names;
  std::vector<int32_t> ids;

  int64_t payload_bytes() const;
};

inline constexpr int64_t kNamesMax = 1024;
// Ids of a turn; none is longer than the contexts that there are.
inline constexpr int64_t kIdsMax = int64_t{1} << 24;

std::vector<std::byte> file_header();
// Whether it is nothing, or a header that was cut off.
bool is_cut_header(std::span<const std::byte> bytes);
// Appends a record. REQUIRES: no more names and ids than the limits.
void append_record(const TurnRecord& record, std::vector<std::byte>& out);

struct ParsedBook {
  std::vector<TurnRecord> records;  // in the order of the file
  int64_t sound_bytes = 0;          // up to the first record that is cut short or damaged
};
// Errors: no such book, a newer version. `path` names it in messages.
Result<ParsedBook> parse_book(std::span<const std::byte> bytes, const std::string& path);

}  // namespace kvasir::replay
