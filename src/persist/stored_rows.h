// A StoredRows reads cold rows from the store's blocks, page by page, and proves each page by its
// check.
//
// It owns the memory that pages are read into. One thread uses it, one batch at a time, and the
// store must outlive it.
#pragma once

#include <memory>
#include <vector>

#include "kv/cold_rows.h"
#include "kv/memory_account.h"
#include "store/piece_reader.h"
#include "store/record.h"

namespace kvasir::persist {

// A StoredPart is the cold part of a block that is in the store. Its memory is charged to the
// block's account.
class StoredPart : public kv::ColdPart {
 public:
  // The account must outlive it.
  StoredPart(store::PieceSource source, kv::MemoryAccount& account);
  ~StoredPart() override;
  store::PieceSource& source() { return source_; }
  // Returns the bytes of memory that a part of such a block takes.
  static int64_t bytes_for(int64_t block_bytes);

 private:
  store::PieceSource source_;
  kv::MemoryAccount& account_;
};

class StoredRows : public kv::RowReader {
 public:
  // Reads at most pieces_max pieces at a time. REQUIRES: every part it is asked for is of a block
  // of block_bytes.
  StoredRows(store::BlockStore& store, int64_t row_bytes, int64_t block_bytes, int64_t pieces_max);

  // Error: there was no memory.
  Status check_memory() const;

  void start(std::span<const kv::RowRead> reads) override;
  Status finish() override;

 private:
  void start_wave();
  void hand_out(const store::PieceRead& read);

  int64_t row_bytes_;
  int64_t block_bytes_;
  int64_t piece_bytes_;
  int64_t pieces_max_;
  store::PieceReader reader_;
  store::PageBuffer memory_;  // [pieces_max, piece bytes]

  // The batch: its reads, ordered by place, and the pieces they need, each once.
  std::vector<kv::RowRead> reads_;
  struct Piece {
    StoredPart* part;
    int64_t piece;
  };
  std::vector<Piece> pieces_;
  size_t next_piece_ = 0;  // the first piece that was not started yet
  size_t next_read_ = 0;   // the first row that was not copied to its end yet
  std::vector<store::PieceRead> wave_;
};

}  // namespace kvasir::persist
