// Sequence: one timeline of tokens and everything the model remembers of them: sealed blocks
// (shared with its forks), unsealed blocks, raw windows, values and gates not yet pooled, and the
// token ids.
//
// Rows are written by the forward pass between begin_append and finish_append; in between the
// sequence holds rows of more tokens than length() says. Not thread-safe as a whole: the forward
// pass hands disjoint rows to its threads. Memory grows with the tokens appended, a block at a
// time; nothing is reserved for a context that is only asked for.
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

// Values and gates of the newest ring_tokens tokens of one compressor; token t lies at slot t %
// ring_tokens. A view into the sequence's memory.
struct CompressorRing {
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
  // Error: not enough memory for the fixed part.
  static Result<Sequence> create(std::shared_ptr<const CacheLayout> layout,
                                 std::shared_ptr<MemoryAccount> account);
  // A sequence that goes on behind a boundary as if it had read all the tokens itself.
  // REQUIRES: whole blocks of tokens, one sealed block for each (none where blocks are empty),
  // whole or hot parts, and boundary_state_bytes() of state. Error: as create.
  static Result<Sequence> resume(std::shared_ptr<const CacheLayout> layout,
                                 std::shared_ptr<MemoryAccount> account,
                                 std::span<const int32_t> tokens, std::vector<SealedBlock> blocks,
                                 std::span<const std::byte> boundary_state);
  Sequence(Sequence&&) noexcept = default;
  Sequence& operator=(Sequence&&) noexcept = default;

  // A second timeline with the same past: shares the sealed blocks, copies the rest.
  // REQUIRES: no append is under way.
  Result<Sequence> fork() const;

  const CacheLayout& layout() const { return *layout_; }
  // Tokens whose rows are complete.
  int64_t length() const { return length_; }
  std::span<const int32_t> tokens() const { return {tokens_.data(), static_cast<size_t>(length_)}; }

  // Sealed blocks in order; empty where the layout's blocks are.
  std::span<const SealedBlock> sealed_blocks() const { return sealed_; }
  // Puts a whole sealed block's hot part in its place. REQUIRES: the same rows.
  void keep_hot_part(int64_t block, SealedBlock hot_part);
  // The same bytes for the same tokens, however they came in.
  // REQUIRES: length() is a boundary, no append is under way; out: [boundary_state_bytes()].
  void write_boundary_state(std::span<std::byte> out) const;

  // Makes room for the rows of `tokens`, which follow the present ones. On error the sequence is as
  // before. REQUIRES: they are not a part of tokens(), whose memory may move.
  Status begin_append(std::span<const int32_t> tokens);
  // The rows of all appended tokens are written: counts them and seals the blocks they complete.
  void finish_append();
  // Between begin_append and its end. A pass that failed in the middle leaves it so: then nothing
  // but tokens() can be relied on.
  bool is_appending() const { return static_cast<size_t>(length_) != tokens_.size(); }
  // Takes an append back before any of its rows was written.
  void cancel_append();

  // Where a layer's row is read when it is not in memory; null: row() has it.
  ColdPart* cold_part_of(int64_t layer, int64_t row) const {
    if (hot_part_count_ == 0 || !layer_layout(layer).spec.has_index_keys) return nullptr;
    const size_t block = row_block(layer, row);
    return block < sealed_.size() ? sealed_[block]->cold_part.get() : nullptr;
  }
  // Sealed blocks of which only the hot part is here.
  int64_t hot_part_count() const { return hot_part_count_; }
  int64_t row_offset_bytes(int64_t layer, int64_t row) const {
    const LayerLayout& entry = layer_layout(layer);
    return entry.rows_offset_bytes + row_in_block(entry, row) * layout_->row.bytes();
  }

  // Compressed row `row` of a layer, to be read. REQUIRES: its last token was appended, and it is
  // in memory.
  const std::byte* row(int64_t layer, int64_t row) const {
    KVASIR_DCHECK(cold_part_of(layer, row) == nullptr, "a row in memory");
    return block_at(row_block(layer, row)) + row_offset_bytes(layer, row);
  }
  // Keys of one block lie back to back from here. [rows_per_block, key bytes]
  const std::byte* block_keys(int64_t layer, int64_t block) const {
    KVASIR_DCHECK(layer_layout(layer).spec.has_index_keys, "a layer with keys");
    return block_at(static_cast<size_t>(block)) + layer_layout(layer).keys_offset_bytes;
  }
  // A row and its index key, to be written. REQUIRES: its block is not sealed: others may hold that
  // one.
  std::byte* writable_row(int64_t layer, int64_t row) {
    return writable_block(row_block(layer, row)) + row_offset_bytes(layer, row);
  }
  std::byte* writable_key(int64_t layer, int64_t row) {
    return writable_block(row_block(layer, row)) + key_offset_bytes(layer, row);
  }
  // Whoever may change the sequence asks for its rows to write them.
  std::byte* row(int64_t layer, int64_t row) { return writable_row(layer, row); }
  std::byte* key(int64_t layer, int64_t row) { return writable_key(layer, row); }

  // Raw row of a token position; the ring keeps the newest window_tokens of each layer.
  std::byte* raw_row(int64_t layer, int64_t position) {
    return raw_windows_.data() + raw_offset_bytes(layer, position);
  }
  const std::byte* raw_row(int64_t layer, int64_t position) const {
    return raw_windows_.data() + raw_offset_bytes(layer, position);
  }

  CompressorRing row_ring(int64_t layer) const { return row_rings_[static_cast<size_t>(layer)]; }
  CompressorRing key_ring(int64_t layer) const { return key_rings_[static_cast<size_t>(layer)]; }

 private:
  Sequence() = default;

  const LayerLayout& layer_layout(int64_t layer) const {
    KVASIR_DCHECK(layer >= 0 && layer < std::ssize(layout_->layers), "a layer of the layout");
    return layout_->layers[static_cast<size_t>(layer)];
  }
  size_t row_block(int64_t layer, int64_t row) const {
    const LayerLayout& entry = layer_layout(layer);
    KVASIR_DCHECK(row >= 0 && entry.rows_per_block > 0, "a row of a layer that has rows");
    return static_cast<size_t>(row / entry.rows_per_block);
  }
  static int64_t row_in_block(const LayerLayout& entry, int64_t row) {
    return row % entry.rows_per_block;
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
  int64_t key_offset_bytes(int64_t layer, int64_t row) const {
    const LayerLayout& entry = layer_layout(layer);
    KVASIR_DCHECK(entry.spec.has_index_keys, "a layer with keys");
    return entry.keys_offset_bytes + row_in_block(entry, row) * layout_->key.bytes();
  }
  int64_t raw_offset_bytes(int64_t layer, int64_t position) const {
    KVASIR_DCHECK(layer >= 0 && layer < std::ssize(layout_->layers), "a layer of the layout");
    KVASIR_DCHECK(position >= 0 && layout_->window_tokens > 0, "a token of a window");
    return (layer * layout_->window_tokens + position % layout_->window_tokens) *
           layout_->row.bytes();
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

  AccountedBuffer<std::byte> raw_windows_;  // [layers, window_tokens, row bytes]
  AccountedBuffer<float> ring_floats_;
  std::vector<CompressorRing> row_rings_;  // [layers], views into ring_floats_
  std::vector<CompressorRing> key_rings_;  // [layers]
};

}  // namespace kvasir::kv
