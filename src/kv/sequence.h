// A Sequence holds one timeline of tokens and everything the model remembers of them: the token
// ids, sealed blocks (shared with its forks), unsealed blocks, windows, and values and gates that
// are not pooled yet.
//
// The forward pass writes rows between begin_append and finish_append. In between, the sequence
// holds rows of more tokens than length() says. One thread at a time, except that a forward pass
// may hand disjoint rows to its threads. Memory grows with the tokens appended, a block at a time.
// Nothing is reserved for a context that is only asked for.
//
// For example, take a stream of a row per 4 tokens (32 rows a block of 128 tokens), of 584 bytes
// each, whose first row lies at offset 10,000 of a block: row 70 lies in block 70 / 32 = 2, at
// offset 10,000 + 70 % 32 * 584 = 13,504. In a window of 128 tokens, position 300 lies in place 300
// % 128 = 44, where position 172 lay before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "kv/block.h"
#include "kv/layout.h"
#include "kv/memory_account.h"
#include "kvasir/result.h"

namespace kvasir::kv {

// A PoolingRing is a view of the values and gates of the newest ring_tokens tokens, for one stream
// that pools them. Token t lies in slot t % ring_tokens. The sequence owns the memory.
struct PoolingRing {
  float* values = nullptr;  // [ring_tokens, columns]
  float* gates = nullptr;   // [ring_tokens, columns], position bias already added
  int64_t ring_tokens = 0;
  int64_t columns = 0;

  float* values_of(int64_t position) const { return values + slot_of(position) * columns; }
  float* gates_of(int64_t position) const { return gates + slot_of(position) * columns; }
  int64_t slot_of(int64_t position) const {
    KVASIR_DCHECK(ring_tokens > 0 && position >= 0, "a token of a layer that pools");
    return position % ring_tokens;
  }
};

class Sequence {
 public:
  // Makes an empty sequence. Error: not enough memory for the fixed part (layout.fixed_bytes()).
  static Result<Sequence> create(std::shared_ptr<const CacheLayout> layout,
                                 std::shared_ptr<MemoryAccount> account);
  // Makes a sequence that goes on behind a boundary as if it had read all the tokens itself.
  // REQUIRES: whole blocks of tokens, one sealed block for each (none where blocks are empty),
  // whole or hot parts, and boundary_state_bytes() of state. Error: as create.
  static Result<Sequence> resume(std::shared_ptr<const CacheLayout> layout,
                                 std::shared_ptr<MemoryAccount> account,
                                 std::span<const int32_t> tokens, std::vector<SealedBlock> blocks,
                                 std::span<const std::byte> boundary_state);
  Sequence(Sequence&&) noexcept = default;
  Sequence& operator=(Sequence&&) noexcept = default;

  // Returns a second timeline with the same past. It shares the sealed blocks and copies the rest.
  // REQUIRES: no append is under way. Error: not enough memory.
  Result<Sequence> fork() const;

  const CacheLayout& layout() const { return *layout_; }
  // Returns how many tokens have all their rows.
  int64_t length() const { return length_; }
  std::span<const int32_t> tokens() const { return {tokens_.data(), static_cast<size_t>(length_)}; }

  // Returns the sealed blocks in order; none where the layout has no blocks.
  std::span<const SealedBlock> sealed_blocks() const { return sealed_; }
  // Puts a whole sealed block's hot part in its place. REQUIRES: the same rows.
  void replace_by_hot_part(int64_t block, SealedBlock hot_part);
  // Writes windows and overlaps. The bytes are the same for the same tokens, however they came in.
  // REQUIRES: length() is a boundary, no append is under way; out: [boundary_state_bytes()].
  void write_boundary_state(std::span<std::byte> out) const;

  // Makes room for the rows of `tokens`, which follow the present ones. On error the sequence is as
  // before. REQUIRES: they are not a part of tokens(), whose memory may move.
  Status begin_append(std::span<const int32_t> tokens);
  // Counts the appended tokens and seals the blocks they complete. REQUIRES: all their rows are
  // written.
  void finish_append();
  // Returns whether an append was begun and not ended. A pass that failed in the middle leaves it
  // so: then nothing but tokens() can be relied on.
  bool is_appending() const { return static_cast<size_t>(length_) != tokens_.size(); }
  // Takes an append back before any of its rows was written.
  void cancel_append();

  // In what follows `stream` is an index into layout().streams.

  // Returns where a row is read when it is not in memory; null: row() has it.
  ColdPart* cold_part_of(int64_t stream, int64_t row) const {
    if (hot_part_count_ == 0 || !stream_layout(stream).is_cold()) return nullptr;
    const size_t block = row_block(stream, row);
    return block < sealed_.size() ? sealed_[block]->cold_part.get() : nullptr;
  }
  // Returns of how many sealed blocks only the hot part is here.
  int64_t hot_part_count() const { return hot_part_count_; }
  // Returns where a row begins in its block, in bytes.
  int64_t row_offset_bytes(int64_t stream, int64_t row) const {
    const StreamLayout& entry = stream_layout(stream);
    KVASIR_DCHECK(entry.row_bytes > 0, "a stream whose rows stand alone");
    return entry.offset_bytes + row % entry.rows_per_block * entry.row_bytes;
  }

  // Returns row `row` of a stream in blocks, to be read. REQUIRES: its last token was appended, and
  // it is in memory.
  const std::byte* row(int64_t stream, int64_t row) const {
    KVASIR_DCHECK(cold_part_of(stream, row) == nullptr, "a row in memory");
    return block_at(row_block(stream, row)) + row_offset_bytes(stream, row);
  }
  // Returns a stream's rows in one block, which lie back to back. [rows_per_block, row_bytes]
  const std::byte* block_rows(int64_t stream, int64_t block) const {
    KVASIR_DCHECK(stream_layout(stream).is_in_blocks(), "a stream in blocks");
    return block_at(static_cast<size_t>(block)) + stream_layout(stream).offset_bytes;
  }
  // Returns a row to be written. REQUIRES: its block is not sealed: others may hold a sealed one.
  std::byte* writable_row(int64_t stream, int64_t row) {
    return writable_block(row_block(stream, row)) + row_offset_bytes(stream, row);
  }

  // Returns the bytes of one vector of a sealed stream in a block. [bytes_per_vector]
  const std::byte* coded_vector(int64_t stream, int64_t block, int64_t vector) const {
    return block_rows(stream, block) + vector * stream_layout(stream).bytes_per_vector;
  }
  // REQUIRES: the block is not sealed.
  std::byte* writable_coded_vector(int64_t stream, int64_t block, int64_t vector) {
    const StreamLayout& entry = stream_layout(stream);
    return writable_block(static_cast<size_t>(block)) + entry.offset_bytes +
           vector * entry.bytes_per_vector;
  }
  // Returns the rows of one vector that are kept whole, in F16. [whole_rows, width]
  const std::byte* whole_vector(int64_t stream, int64_t vector) const {
    return block_at(0) + whole_vector_offset_bytes(stream, vector);
  }
  std::byte* writable_whole_vector(int64_t stream, int64_t vector) {
    return writable_block(0) + whole_vector_offset_bytes(stream, vector);
  }
  // Returns the row of a sealed stream at full width, while its block is not sealed.
  // [vectors, width]
  float* full_row(int64_t stream, int64_t position) const {
    KVASIR_DCHECK(stream_layout(stream).is_sealed(), "a stream with rows at full width");
    return full_rows_[static_cast<size_t>(stream)] +
           position % kBlockTokens * stream_layout(stream).full_row_floats();
  }

  // Returns the row of a token position in a window, which keeps the newest window_tokens.
  std::byte* window_row(int64_t stream, int64_t position) {
    return windows_.data() + window_offset_bytes(stream, position);
  }
  const std::byte* window_row(int64_t stream, int64_t position) const {
    return windows_.data() + window_offset_bytes(stream, position);
  }

  // Returns the ring of a stream that pools tokens.
  PoolingRing ring(int64_t stream) const { return rings_[static_cast<size_t>(stream)]; }

 private:
  Sequence() = default;

  const StreamLayout& stream_layout(int64_t stream) const {
    KVASIR_DCHECK(stream >= 0 && stream < std::ssize(layout_->streams), "a stream of the layout");
    return layout_->streams[static_cast<size_t>(stream)];
  }
  size_t row_block(int64_t stream, int64_t row) const {
    const StreamLayout& entry = stream_layout(stream);
    KVASIR_DCHECK(row >= 0 && entry.rows_per_block > 0, "a row of a stream in blocks");
    return static_cast<size_t>(row / entry.rows_per_block);
  }
  const std::byte* block_at(size_t block) const {
    KVASIR_DCHECK(block < block_data_.size(), "a block that was begun");
    return block_data_[block];
  }
  std::byte* writable_block(size_t block) {
    KVASIR_CHECK(block >= sealed_.size() && block < block_data_.size(),
                 "what is written is not sealed");
    return unsealed_[block - sealed_.size()].data();
  }
  int64_t whole_vector_offset_bytes(int64_t stream, int64_t vector) const {
    const StreamLayout& entry = stream_layout(stream);
    KVASIR_DCHECK(entry.spec.whole_rows > 0, "a stream that keeps rows whole");
    return entry.whole_offset_bytes + 2 * vector * entry.spec.whole_rows * entry.spec.width;
  }
  int64_t window_offset_bytes(int64_t stream, int64_t position) const {
    const StreamLayout& entry = stream_layout(stream);
    KVASIR_DCHECK(position >= 0 && !entry.is_in_blocks(), "a token of a window");
    return entry.offset_bytes + position % entry.spec.window_tokens * entry.row_bytes;
  }
  void place_rings();
  void read_boundary_state(std::span<const std::byte> in);

  std::shared_ptr<const CacheLayout> layout_;
  std::shared_ptr<MemoryAccount> account_;
  int64_t length_ = 0;
  std::vector<int32_t> tokens_;

  std::vector<SealedBlock> sealed_;
  int64_t hot_part_count_ = 0;                // of the sealed ones
  std::vector<Block> unsealed_;               // follow the sealed ones
  std::vector<const std::byte*> block_data_;  // of all blocks, sealed ones first

  AccountedBuffer<std::byte> windows_;  // [streams with a window][window_tokens, row_bytes]
  AccountedBuffer<float> ring_floats_;
  std::vector<PoolingRing> rings_;  // [streams], views into ring_floats_
  std::vector<float*> full_rows_;   // [streams][kBlockTokens, row], the same
};

}  // namespace kvasir::kv
