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

bool fill(File& file, int64_t offset_bytes, std::span<std::byte> out) {
  const IoResult result = read_whole(file, offset_bytes, out);
  return result.ok() && result.count == std::ssize(out);
}

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
  const bool is_right = read_where_it_lies(id, [&](const IndexEntry& entry) {
    // As in read(): a key has one right length, and whoever asks knows it.
    if (entry.info.payload_bytes != payload_bytes) return ReadResult::kDamaged;
    return read_head(entry, head, source);
  });
  if (!is_right || source.checks.piece_bytes == 0) return std::nullopt;
  metrics_.add(StoreMetric::kDiskReadRecords, 1);
  metrics_.add(StoreMetric::kDiskReadBytes, std::ssize(head));
  metrics_.add(StoreMetric::kDiskReadUs, watch.elapsed_us());
  return source;
}

// What was just written is in the page cache still: past it, the read would wait for the device.
BlockStore::ReadResult BlockStore::read_checks(const IndexEntry& entry, PieceSource& source) {
  auto header = log_->read_header({entry.segment_number, entry.offset_bytes});
  if (!header) return ReadResult::kFailed;
  if (!*header || (*header)->info != entry.info) return ReadResult::kDamaged;
  source = source_of(entry, std::move(**header));
  return ReadResult::kRight;
}

BlockStore::ReadResult BlockStore::read_head(const IndexEntry& entry, std::span<std::byte> head,
                                             PieceSource& source) {
  if (head.empty()) return read_checks(entry, source);
  const auto file = log_->direct_file(entry.segment_number);
  if (!file) return ReadResult::kFailed;
  const int64_t piece_bytes = piece_bytes_for(entry.info.payload_bytes);
  const int64_t head_pieces = piece_count(std::ssize(head), piece_bytes);
  const int64_t head_bytes =
      std::min(head_pieces * piece_bytes, padded_to_pages(entry.info.payload_bytes));
  PageBuffer memory(kPageBytes + head_bytes, Fill::kNothing);
  if (memory.failed()) return ReadResult::kFailed;
  const std::span<std::byte> bytes(memory.data(), static_cast<size_t>(memory.size()));
  if (!fill(**file, entry.offset_bytes, bytes)) return ReadResult::kFailed;

  std::optional<RecordHeader> header = decode_header(bytes.first(kPageBytes));
  if (!header || header->info != entry.info) return ReadResult::kDamaged;
  source = source_of(entry, std::move(*header));
  if (source.checks.piece_bytes == 0) return ReadResult::kRight;
  const std::span<const std::byte> payload = bytes.subspan(kPageBytes);
  for (int64_t piece = 0; piece < head_pieces; ++piece) {
    if (!source.is_right(piece, payload.subspan(static_cast<size_t>(piece * piece_bytes)))) {
      return ReadResult::kDamaged;
    }
  }
  std::memcpy(head.data(), payload.data(), head.size());
  return ReadResult::kRight;
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
  return store_.read_where_it_lies(source.id, [&](const IndexEntry& entry) {
    // Another record was put under the id since: not what the checks are of.
    if (entry.info.payload_bytes != source.payload_bytes) return BlockStore::ReadResult::kDamaged;
    const Place place{entry.segment_number, entry.offset_bytes};
    source.place.set(place);
    const auto file = store_.log_->direct_file(entry.segment_number);
    if (!file) return BlockStore::ReadResult::kFailed;
    if (!fill(**file, source.offset_bytes(place, read.piece), read.out)) {
      return BlockStore::ReadResult::kFailed;
    }
    return source.is_right(read.piece, read.out) ? BlockStore::ReadResult::kRight
                                                 : BlockStore::ReadResult::kDamaged;
  });
}

}  // namespace kvasir::store
