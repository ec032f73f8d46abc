// RowCache: cold rows that were read, kept for the tokens to come; shared by all sequences of an
// engine. It holds as many as it is given memory for.
//
// A forward pass asks for rows in groups: begin_group, ask for each row, start, finish. The rows of
// a group stay where they are until the group after the next begins, so that one can be attended
// while the next is read. One thread.
//
// What is kept: a clock whose hand passes by a row as often as it was asked for again (up to
// kUsesMax) before it gives up its place. Decoding asks for mostly the same rows token after token;
// rows that a prefill asks for once leave first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kv/cold_rows.h"
#include "kv/memory_account.h"
#include "kvasir/result.h"

namespace kvasir::kv {

struct RowCacheStats {
  int64_t asked_rows = 0;
  int64_t read_rows = 0;  // of these, not at hand
};

class RowCache {
 public:
  // Empty. row_bytes: of the layout. `reader` outlives it.
  RowCache(int64_t row_bytes, std::shared_ptr<MemoryAccount> account, RowReader& reader);

  // Memory for that many rows, all that goes with them included.
  static int64_t bytes_for(int64_t row_bytes, int64_t row_count);
  // Holds as many rows as fit into `bytes` from now on, of those it has the first ones of its
  // memory. No group may be under way. Error: no memory; then it holds none.
  Status resize(int64_t bytes);
  int64_t capacity_rows() const { return capacity_rows_; }
  int64_t allocated_bytes() const;

  void begin_group();
  // Where the row will lie once the group is finished. REQUIRES: at most capacity_rows() / 2
  // different rows in a group.
  const std::byte* ask(ColdPart& part, int64_t offset_bytes);
  void start();
  // Error: as RowReader::finish; none of the group's rows that had to be read is there then.
  Status finish();

  const RowCacheStats& stats() const { return stats_; }

 private:
  static constexpr int64_t kChunkBytes = int64_t{64} << 10;
  static constexpr uint8_t kUsesMax = 3;
  static constexpr uint32_t kEmpty = UINT32_MAX;

  struct Slot {
    uint64_t part = 0;
    uint32_t offset = 0;  // into the block, in bytes
    uint64_t group = 0;   // that asked for it last; 0: the slot is free
    uint8_t uses = 0;
  };

  static int64_t rows_per_chunk(int64_t row_bytes);
  std::byte* row_of(uint32_t slot);
  size_t home_of(uint64_t part, uint32_t offset) const;
  // Where in the table the row is, or would be.
  size_t find(uint64_t part, uint32_t offset) const;
  void erase(uint32_t slot);
  uint32_t take_slot();
  Status allocate(int64_t row_count);

  int64_t row_bytes_;
  int64_t rows_per_chunk_;
  std::shared_ptr<MemoryAccount> account_;
  RowReader& reader_;

  int64_t capacity_rows_ = 0;
  std::vector<AccountedBuffer<std::byte>> chunks_;
  AccountedBuffer<Slot> slots_;      // [capacity_rows_]
  AccountedBuffer<uint32_t> table_;  // slots by hash, linear probing; kEmpty
  uint32_t hand_ = 0;
  uint64_t group_ = 2;
  std::vector<RowRead> missing_;  // of the group
  std::vector<uint32_t> missing_slots_;
  RowCacheStats stats_;
};

}  // namespace kvasir::kv
