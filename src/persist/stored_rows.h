// A StoredRows reads cold rows from the store's blocks, page by page, and proves each page by its
// check. Of a block that a remote tier is still bringing, it reads them from there.
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

namespace kvasir::store::remote {
class LateBlocks;
}

namespace kvasir::persist {

// A StoredPart is the cold part of a block that is in the store. Its memory is charged to the
// block's account.
class StoredPart : public kv::ColdPart {
 public:
  // late: where it is read until the store has the block; null: the store has it. The account must
  // outlive it.
  StoredPart(store::PieceSource source, kv::MemoryAccount& account,
             std::shared_ptr<store::remote::LateBlocks> late = nullptr);
  ~StoredPart() override;
  store::PieceSource& source() { return source_; }
  // Null: there is nothing to read it from but the store.
  store::remote::LateBlocks* late() const;
  // Whether no sequence went on from the block since it was brought. From this call on, one has.
  // The engine's thread.
  bool is_first_use();
  // Returns the bytes of memory that a part of such a block takes.
  static int64_t bytes_for(int64_t block_bytes);

 private:
  store::PieceSource source_;
  kv::MemoryAccount& account_;
  std::shared_ptr<store::remote::LateBlocks> late_;
  bool is_new_;
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
  void read_late_pieces();
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
