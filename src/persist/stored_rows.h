// StoredRows: cold rows read from the store's blocks, page by page, each page proven by its check.
// One batch at a time, from one thread.
#pragma once

#include <memory>
#include <vector>

#include "kv/cold_rows.h"
#include "kv/memory_account.h"
#include "store/piece_reader.h"
#include "store/record.h"

namespace kvasir::persist {

// StoredPart: the cold part of a block that is in the store. Its memory is charged to the block's
// account.
class StoredPart : public kv::ColdPart {
 public:
  // The account outlives it, as the block does that has it.
  StoredPart(store::PieceSource source, kv::MemoryAccount& account);
  ~StoredPart() override;
  store::PieceSource& source() { return source_; }
  // Memory that goes with it.
  static int64_t bytes_for(int64_t block_bytes);

 private:
  store::PieceSource source_;
  kv::MemoryAccount& account_;
};

class StoredRows : public kv::RowReader {
 public:
  // pieces_max: that many are read at a time. The store outlives it. REQUIRES: every part it is
  // asked for is one of a block of block_bytes.
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

  // The batch: reads by place, the pieces they need, each once.
  std::vector<kv::RowRead> reads_;
  struct Piece {
    StoredPart* part;
    int64_t piece;
  };
  std::vector<Piece> pieces_;
  size_t next_piece_ = 0;  // not yet started
  size_t next_read_ = 0;   // not yet copied to its end
  std::vector<store::PieceRead> wave_;
};

}  // namespace kvasir::persist
