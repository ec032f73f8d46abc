// A RowCache keeps cold rows that were read, for the tokens to come. All sequences of an engine
// share it. It holds as many rows as it has memory for. One thread.
//
// A forward pass asks for rows in groups: begin_group, ask for each row, start, finish. The rows of
// a group stay where they are until the group after the next begins. So one group can be attended
// while the next is read.
//
// A clock chooses the row that gives up its place. Its hand passes by a row as often as the row was
// asked for again, up to kUsesMax times. Decoding asks for mostly the same rows token after token;
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

// RowCacheStats count rows since the cache was made.
struct RowCacheStats {
  int64_t asked_rows = 0;
  int64_t read_rows = 0;  // of these, not at hand
};

class RowCache {
 public:
  // Makes an empty cache, without memory for rows. row_bytes: layout.cold_row_bytes, more than 0.
  // `reader` outlives it.
  RowCache(int64_t row_bytes, std::shared_ptr<MemoryAccount> account, RowReader& reader);

  // Returns the bytes that a cache of that many rows takes, the table that finds them included.
  static int64_t bytes_for(int64_t row_bytes, int64_t row_count);
  // Makes the cache hold as many rows as fit into `bytes`. It keeps the rows that lie in the part
  // of its memory that stays. REQUIRES: no group is under way. Error: no memory; then it holds
  // none.
  Status resize(int64_t bytes);
  int64_t capacity_rows() const { return capacity_rows_; }
  int64_t allocated_bytes() const;

  void begin_group();
  // Returns where the row will lie once the group is finished. REQUIRES: at most capacity_rows() /
  // 2 different rows in a group.
  const std::byte* ask(ColdPart& part, int64_t offset_bytes);
  // Begins to read the group's rows that are not at hand.
  void start();
  // Waits for them. Error: as RowReader::finish; then none of the rows that had to be read is
  // there.
  Status finish();

  const RowCacheStats& stats() const { return stats_; }

 private:
  static constexpr int64_t kChunkBytes = int64_t{64} << 10;
  static constexpr uint8_t kUsesMax = 3;
  static constexpr uint32_t kEmpty = UINT32_MAX;

  struct Slot {
    uint64_t part = 0;
    uint32_t offset = 0;  // into the block, in bytes
    uint64_t group = 0;   // the last one that asked for the row; 0: the slot is free
    uint8_t uses = 0;
  };

  static int64_t rows_per_chunk(int64_t row_bytes);
  std::byte* row_of(uint32_t slot);
  size_t home_of(uint64_t part, uint32_t offset) const;
  // Returns where in the table the row is, or would be.
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
