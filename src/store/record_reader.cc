#include "store/record_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/stopwatch.h"
#include "store/file_io.h"

namespace kvasir::store {
namespace {

PieceSource source_of(const IndexEntry& entry, RecordHeader header) {
  return {.id = entry.info.id,
          .place = LastPlace({entry.segment_number, entry.offset_bytes}),
          .payload_bytes = entry.info.payload_bytes,
          .checks = std::move(header.checks)};
}

}  // namespace

Error RecordReader::damaged(const IndexEntry& entry) const {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "damaged record",
               .where = log_.path_of(entry.segment_number),
               .offset = static_cast<uint64_t>(entry.offset_bytes)};
}

Error RecordReader::noted(const IndexEntry& entry, Error error) {
  if (error.kind == ErrorKind::kIo) index_.note_refusal(entry);
  return error;
}

Status RecordReader::read_bytes(const IndexEntry& entry, File& file, int64_t offset_bytes,
                                std::span<std::byte> out) {
  Status read =
      read_all(file, log_.path_of(entry.segment_number), entry.offset_bytes + offset_bytes, out);
  return read.ok() ? read : noted(entry, std::move(read).error());
}

Status RecordReader::read_payload(const IndexEntry& entry, std::span<std::byte> payload) {
  // A key hashes the layout, so it has one right length.
  if (entry.info.payload_bytes != std::ssize(payload)) return damaged(entry);
  KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, log_.file(entry.segment_number));
  KVASIR_RETURN_IF_ERROR(read_bytes(entry, *file, kPageBytes, payload));
  if (xxh3_128(payload) != entry.info.payload_digest) return damaged(entry);
  return ok_status();
}

Result<RecordHeader> RecordReader::read_header(const IndexEntry& entry) {
  KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, log_.file(entry.segment_number));
  auto header = store::read_header(*file, log_.path_of(entry.segment_number), entry.segment_number,
                                   entry.offset_bytes);
  if (!header) return noted(entry, std::move(header).error());
  if (!*header || (*header)->info != entry.info) return damaged(entry);
  return std::move(**header);
}

Status RecordReader::read_where_it_lies(const RecordId& id, const Attempt& attempt) {
  std::optional<IndexEntry> entry = index_.find(id);
  // Cleaning may move a record and delete its old segment in between: then it is looked up anew.
  while (entry) {
    Status status = attempt(*entry);
    if (status.ok()) {
      if (entry->refusal_count != 0) index_.note_reading(*entry);
      return status;
    }
    const std::optional<IndexEntry> now = index_.find(id);
    if (now && now->is_at_the_place_of(*entry)) {
      const bool is_damaged = status.error().kind == ErrorKind::kDamaged;
      metrics_.add(is_damaged ? StoreMetric::kVerifyFailures : StoreMetric::kIoFailures, 1);
      if (is_lost(status.error())) index_.forget(*entry);
      return status;
    }
    entry = now;
  }
  return Error{.kind = ErrorKind::kNotFound, .what = "no such record"};
}

Status RecordReader::read(const RecordId& id, std::span<std::byte> payload) {
  const Stopwatch watch;
  KVASIR_RETURN_IF_ERROR(read_where_it_lies(
      id, [&](const IndexEntry& entry) { return read_payload(entry, payload); }));
  metrics_.add(StoreMetric::kDiskReadRecords, 1);
  metrics_.add(StoreMetric::kDiskReadBytes, std::ssize(payload));
  metrics_.add(StoreMetric::kDiskReadUs, watch.elapsed_us());
  return ok_status();
}

Result<std::vector<int32_t>> RecordReader::read_tokens(const RecordId& id) {
  const std::optional<IndexEntry> entry = index_.find(id);
  if (!entry) return Error{.kind = ErrorKind::kNotFound, .what = "no such record"};
  KVASIR_ASSIGN_OR_RETURN(RecordHeader header, read_header(*entry));
  return std::move(header.tokens);
}

std::optional<PieceSource> RecordReader::open_pieces(const RecordId& id, int64_t payload_bytes,
                                                     std::span<std::byte> head) {
  KVASIR_CHECK(std::ssize(head) <= payload_bytes, "a part of the payload");
  const Stopwatch watch;
  PieceSource source;
  const Status read = read_where_it_lies(id, [&](const IndexEntry& entry) -> Status {
    // As in read(): a key has one right length, and whoever asks knows it.
    if (entry.info.payload_bytes != payload_bytes) return damaged(entry);
    return read_head(entry, head, source);
  });
  if (!read.ok() || source.checks.piece_bytes == 0) return std::nullopt;
  metrics_.add(StoreMetric::kDiskReadRecords, 1);
  metrics_.add(StoreMetric::kDiskReadBytes, std::ssize(head));
  metrics_.add(StoreMetric::kDiskReadUs, watch.elapsed_us());
  return source;
}

// A header that was just written is still in the page cache; reading past the cache would wait for
// the device.
Status RecordReader::read_checks(const IndexEntry& entry, PieceSource& source) {
  KVASIR_ASSIGN_OR_RETURN(RecordHeader header, read_header(entry));
  source = source_of(entry, std::move(header));
  return ok_status();
}

Status RecordReader::read_head(const IndexEntry& entry, std::span<std::byte> head,
                               PieceSource& source) {
  if (head.empty()) return read_checks(entry, source);
  KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, log_.direct_file(entry.segment_number));
  PageBuffer memory(kPageBytes + proof_bytes(entry.info.payload_bytes, std::ssize(head)),
                    Fill::kNothing);
  if (memory.failed()) {
    return Error{.kind = ErrorKind::kNoMemory, .what = "not enough memory to read a record"};
  }
  const std::span<std::byte> bytes(memory.data(), static_cast<size_t>(memory.size()));
  KVASIR_RETURN_IF_ERROR(read_bytes(entry, *file, 0, bytes));

  std::optional<RecordHeader> header = decode_header(bytes.first(kPageBytes));
  if (!header || header->info != entry.info) return damaged(entry);
  source = source_of(entry, std::move(*header));
  if (source.checks.piece_bytes == 0) return ok_status();
  const std::span<const std::byte> payload = bytes.subspan(kPageBytes);
  if (!source.is_right_head(payload, std::ssize(head))) return damaged(entry);
  std::memcpy(head.data(), payload.data(), head.size());
  return ok_status();
}

Status RecordReader::read_piece(PieceSource& source, int64_t piece, std::span<std::byte> out) {
  return read_where_it_lies(source.id, [&](const IndexEntry& entry) -> Status {
    // Another record was put under the id since: the checks are not of its pieces.
    if (entry.info.payload_bytes != source.payload_bytes) return damaged(entry);
    const Place place{entry.segment_number, entry.offset_bytes};
    source.place.set(place);
    KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                            log_.direct_file(entry.segment_number));
    const int64_t offset_bytes = source.offset_bytes(place, piece) - entry.offset_bytes;
    KVASIR_RETURN_IF_ERROR(read_bytes(entry, *file, offset_bytes, out));
    if (!source.is_right(piece, out)) return damaged(entry);
    return ok_status();
  });
}

}  // namespace kvasir::store
