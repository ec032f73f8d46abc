#include "store/piece_reader.h"

#include <utility>

#include "base/check.h"

namespace kvasir::store {

PieceReader::PieceReader(BlockStore& store)
    : records_(store.record_reader()),
      metrics_(store.metrics()),
      batch_(store.make_batch_reader()) {}

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
      auto opened = records_.file_of_pieces(place.segment_number);
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
    // After a failed read, or a read at a place the record has left, the bytes are not the piece's.
    read.is_right = read.source->is_right(read.piece, read.out) ||
                    records_.read_piece(*read.source, read.piece, read.out).ok();
    if (read.is_right) right_bytes += std::ssize(read.out);
  }
  metrics_.add(StoreMetric::kPieceReads, std::ssize(reads_));
  metrics_.add(StoreMetric::kPieceReadBytes, right_bytes);
  metrics_.add(StoreMetric::kPieceReadUs, watch_.elapsed_us());
  reads_ = {};
}

}  // namespace kvasir::store
