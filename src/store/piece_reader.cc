#include "store/piece_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "store/file_io.h"

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

// ---- taking a block apart ----

namespace {

PieceSource source_of(const IndexEntry& entry, RecordHeader header) {
  return {.id = entry.info.id,
          .place = LastPlace({entry.segment_number, entry.offset_bytes}),
          .payload_bytes = entry.info.payload_bytes,
          .checks = std::move(header.checks)};
}

}  // namespace

std::optional<PieceSource> BlockStore::open_pieces(const RecordId& id, int64_t payload_bytes,
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

// What was just written is in the page cache still: past it, the read would wait for the device.
Status BlockStore::read_checks(const IndexEntry& entry, PieceSource& source) {
  KVASIR_ASSIGN_OR_RETURN(RecordHeader header, read_header(entry));
  source = source_of(entry, std::move(header));
  return ok_status();
}

Status BlockStore::read_head(const IndexEntry& entry, std::span<std::byte> head,
                             PieceSource& source) {
  if (head.empty()) return read_checks(entry, source);
  KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                          log_->direct_file(entry.segment_number));
  const int64_t piece_bytes = piece_bytes_for(entry.info.payload_bytes);
  const int64_t head_pieces = piece_count(std::ssize(head), piece_bytes);
  const int64_t head_bytes =
      std::min(head_pieces * piece_bytes, padded_to_pages(entry.info.payload_bytes));
  PageBuffer memory(kPageBytes + head_bytes, Fill::kNothing);
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
  for (int64_t piece = 0; piece < head_pieces; ++piece) {
    if (!source.is_right(piece, payload.subspan(static_cast<size_t>(piece * piece_bytes)))) {
      return damaged(entry);
    }
  }
  std::memcpy(head.data(), payload.data(), head.size());
  return ok_status();
}

// ---- reading pieces ----

PieceReader::PieceReader(BlockStore& store)
    : store_(store), batch_(store.files_->make_batch_reader()) {}

void PieceReader::start(std::span<PieceRead> reads) {
  watch_ = {};
  reads_ = reads;
  page_reads_.clear();
  files_.clear();
  uint64_t opened_number = 0;
  std::shared_ptr<File> file;
  for (const PieceRead& read : reads) {
    const PieceSource& source = *read.source;
    KVASIR_CHECK(std::ssize(read.out) == source.stored_bytes(read.piece), "room for one piece");
    const Place place = source.place.get();
    // Neighbours mostly lie in one segment.
    if (!file || place.segment_number != opened_number) {
      auto opened = store_.log_->direct_file(place.segment_number);
      file = opened ? std::move(*opened) : nullptr;
      opened_number = place.segment_number;
      if (file) files_.push_back(file);
    }
    if (!file) continue;
    page_reads_.push_back({.file = file.get(),
                           .offset_bytes = source.offset_bytes(place, read.piece),
                           .out = read.out});
  }
  batch_->start(page_reads_);
}

void PieceReader::finish() {
  batch_->finish();
  int64_t right_bytes = 0;
  for (PieceRead& read : reads_) {
    // A read that failed leaves other bytes than the piece's; so does a place that is no longer
    // its.
    read.is_right = read.source->is_right(read.piece, read.out) || read_again(read);
    if (read.is_right) right_bytes += std::ssize(read.out);
  }
  Metrics& metrics = store_.metrics();
  metrics.add(StoreMetric::kPieceReads, std::ssize(reads_));
  metrics.add(StoreMetric::kPieceReadBytes, right_bytes);
  metrics.add(StoreMetric::kPieceReadUs, watch_.elapsed_us());
  reads_ = {};
}

bool PieceReader::read_again(PieceRead& read) {
  PieceSource& source = *read.source;
  const auto attempt = [&](const IndexEntry& entry) -> Status {
    // Another record was put under the id since: not what the checks are of.
    if (entry.info.payload_bytes != source.payload_bytes) return store_.damaged(entry);
    const Place place{entry.segment_number, entry.offset_bytes};
    source.place.set(place);
    KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                            store_.log_->direct_file(entry.segment_number));
    const int64_t offset_bytes = source.offset_bytes(place, read.piece) - entry.offset_bytes;
    KVASIR_RETURN_IF_ERROR(store_.read_bytes(entry, *file, offset_bytes, read.out));
    if (!source.is_right(read.piece, read.out)) return store_.damaged(entry);
    return ok_status();
  };
  return store_.read_where_it_lies(source.id, attempt).ok();
}

}  // namespace kvasir::store
