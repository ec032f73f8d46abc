#include "persist/stored_rows.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "store/remote/late_blocks.h"

namespace kvasir::persist {

StoredPart::StoredPart(store::PieceSource source, kv::MemoryAccount& account,
                       std::shared_ptr<store::remote::LateBlocks> late)
    : source_(std::move(source)),
      account_(account),
      late_(std::move(late)),
      is_new_(late_ != nullptr) {
  account_.add(bytes_for(source_.payload_bytes));
}

StoredPart::~StoredPart() { account_.add(-bytes_for(source_.payload_bytes)); }

store::remote::LateBlocks* StoredPart::late() const {
  return late_ && !late_->is_given_up() ? late_.get() : nullptr;
}

bool StoredPart::is_first_use() { return std::exchange(is_new_, false); }

int64_t StoredPart::bytes_for(int64_t block_bytes) {
  const int64_t piece_bytes = store::piece_bytes_for(block_bytes);
  return static_cast<int64_t>(sizeof(StoredPart)) +
         store::piece_count(block_bytes, piece_bytes) * static_cast<int64_t>(sizeof(uint64_t));
}

StoredRows::StoredRows(store::BlockStore& store, int64_t row_bytes, int64_t block_bytes,
                       int64_t pieces_max)
    : row_bytes_(row_bytes),
      block_bytes_(block_bytes),
      piece_bytes_(store::piece_bytes_for(block_bytes)),
      pieces_max_(pieces_max),
      reader_(store),
      memory_(pieces_max * piece_bytes_, Fill::kNothing) {
  KVASIR_CHECK(row_bytes > 0 && pieces_max > 0, "rows, and room to read one into");
}

Status StoredRows::check_memory() const {
  if (!memory_.failed()) return ok_status();
  return Error{.kind = ErrorKind::kNoMemory,
               .what = "not enough memory to read rows from the store",
               .expected = std::to_string(memory_.size()) + " bytes"};
}

void StoredRows::start(std::span<const kv::RowRead> reads) {
  reads_.assign(reads.begin(), reads.end());
  std::sort(reads_.begin(), reads_.end(), [](const kv::RowRead& a, const kv::RowRead& b) {
    return std::make_tuple(a.part->id(), a.offset_bytes) <
           std::make_tuple(b.part->id(), b.offset_bytes);
  });
  const auto overlaps_next = [this](const kv::RowRead& a, const kv::RowRead& b) {
    return a.part == b.part && a.offset_bytes + row_bytes_ > b.offset_bytes;
  };
  KVASIR_CHECK(std::adjacent_find(reads_.begin(), reads_.end(), overlaps_next) == reads_.end(),
               "every row once");
  pieces_.clear();
  for (const kv::RowRead& read : reads_) {
    auto* part = static_cast<StoredPart*>(read.part);
    // The size of a piece's memory and the row's place in it follow from these.
    KVASIR_CHECK(part->source().payload_bytes == block_bytes_ &&
                     part->source().checks.piece_bytes == piece_bytes_,
                 "a block of the layout that rows are read of");
    KVASIR_CHECK(read.offset_bytes >= 0 && read.offset_bytes + row_bytes_ <= block_bytes_,
                 "a row inside of its block");
    const int64_t last = (read.offset_bytes + row_bytes_ - 1) / piece_bytes_;
    int64_t piece = read.offset_bytes / piece_bytes_;
    // Neighbouring rows share pages.
    if (!pieces_.empty() && pieces_.back().part == part) {
      piece = std::max(piece, pieces_.back().piece + 1);
    }
    for (; piece <= last; ++piece) pieces_.push_back({part, piece});
  }
  next_piece_ = 0;
  next_read_ = 0;
  start_wave();
}

void StoredRows::start_wave() {
  const size_t count = std::min(pieces_.size() - next_piece_, static_cast<size_t>(pieces_max_));
  wave_.clear();
  wave_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const Piece& piece = pieces_[next_piece_ + i];
    store::PieceSource& source = piece.part->source();
    wave_.push_back({.source = &source,
                     .piece = piece.piece,
                     .out = {memory_.data() + static_cast<int64_t>(i) * piece_bytes_,
                             static_cast<size_t>(source.stored_bytes(piece.piece))}});
  }
  next_piece_ += count;
  reader_.start(wave_);
}

// What the store does not have yet may still lie where a remote tier brings it from.
void StoredRows::read_late_pieces() {
  const size_t wave_begin = next_piece_ - wave_.size();
  std::map<store::remote::LateBlocks*, std::vector<store::PieceRead*>> reads_by_chain;
  for (size_t i = 0; i < wave_.size(); ++i) {
    store::remote::LateBlocks* late = pieces_[wave_begin + i].part->late();
    if (!wave_[i].is_right && late != nullptr) reads_by_chain[late].push_back(&wave_[i]);
  }
  for (const auto& [late, reads] : reads_by_chain) late->read_pieces(reads);
}

// Copies to every row the bytes that the piece has of it. Pieces come in the order of the rows.
void StoredRows::hand_out(const store::PieceRead& read) {
  const int64_t piece_begin = read.piece * piece_bytes_;
  const int64_t piece_end = piece_begin + std::ssize(read.out);
  for (; next_read_ < reads_.size(); ++next_read_) {
    const kv::RowRead& row = reads_[next_read_];
    if (&static_cast<StoredPart*>(row.part)->source() != read.source) return;
    const int64_t begin = std::max(row.offset_bytes, piece_begin);
    const int64_t end = std::min(row.offset_bytes + row_bytes_, piece_end);
    if (begin >= end) return;
    std::memcpy(row.out + (begin - row.offset_bytes), read.out.data() + (begin - piece_begin),
                static_cast<size_t>(end - begin));
    // The rest of it comes with the next piece.
    if (row.offset_bytes + row_bytes_ > piece_end) return;
  }
}

Status StoredRows::finish() {
  const store::PieceRead* wrong = nullptr;
  store::RecordId wrong_id;
  while (true) {
    reader_.finish();
    read_late_pieces();
    for (const store::PieceRead& read : wave_) {
      if (read.is_right) {
        hand_out(read);
      } else {
        wrong = &read;
        wrong_id = read.source->id;
      }
    }
    if (wrong != nullptr || next_piece_ == pieces_.size()) break;
    start_wave();
  }
  if (wrong == nullptr) {
    KVASIR_CHECK(next_read_ == reads_.size(), "every row came");
    return ok_status();
  }
  return Error{.kind = ErrorKind::kDamaged,
               .what = "rows of the cache cannot be read back",
               .where = "block " + to_hex(wrong_id.key),
               .expected = "the bytes that were stored",
               .found = "damage, or an unreadable device"};
}

}  // namespace kvasir::persist
