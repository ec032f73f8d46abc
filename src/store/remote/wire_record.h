// A record travels as it lies in a segment: its header page, then its payload, padded to whole
// pages. What arrives proves itself before a byte of it is used. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/aligned_buffer.h"
#include "store/piece_source.h"
#include "store/record.h"

namespace kvasir::store::remote {

// A WireRecord says what a record has to be.
struct WireRecord {
  RecordId id;
  Key parent{};
  int64_t token_begin = 0;
  std::span<const int32_t> tokens;  // of a block
  int64_t payload_bytes = 0;

  int64_t wire_bytes() const { return kPageBytes + padded_to_pages(payload_bytes); }
};

// Writes header, payload and padding to `out` [wire_bytes]. info: what the store says of it, its
// digest too.
void write_wire_record(const RecordInfo& info, std::span<const int32_t> tokens,
                       std::span<const std::byte> payload, std::span<std::byte> out);

// How many of its first bytes are sent for the first head_bytes of a payload to be proven alone.
int64_t head_wire_bytes(int64_t payload_bytes, int64_t head_bytes);

// A WireHead is a beginning of a record that has proven itself.
struct WireHead {
  PieceSource source;                  // of the rest, which may be anywhere
  std::span<const std::byte> payload;  // [head_bytes]
};
// Returns it if these [head_wire_bytes] are the first bytes of that record: header, key, parent,
// tokens and the checks of pieces. None: they are not, or it was written without such checks.
std::optional<WireHead> head_of_wire(const WireRecord& wanted, std::span<const std::byte> bytes,
                                     int64_t head_bytes);

// Returns the payload, a part of `bytes`, if these are the bytes of that record: length, header,
// key, parent, tokens and digest. None: they are not.
std::optional<std::span<const std::byte>> payload_of_wire(const WireRecord& wanted,
                                                          std::span<const std::byte> bytes);

}  // namespace kvasir::store::remote
