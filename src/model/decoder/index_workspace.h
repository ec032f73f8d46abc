// An IndexWorkspace has the buffers with which a forward pass picks latents and attends what it
// picked; none where the model has no indexer. As Workspace otherwise. In comments n is the tokens
// of the pass, k the rows that a token attends at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/codecs/codec.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"
#include "model/pass_buffers.h"
#include "ops/attention_steps.h"

namespace kvasir::model::decoder {

struct IndexWorkspace {
  // key_format: of an index key.
  IndexWorkspace(const IndexerConfig& config, const kernels::RowFormat& key_format,
                 int64_t token_capacity, int thread_count);

  // Returns the bytes that the constructor takes, without taking them.
  static int64_t bytes_for(const IndexerConfig& config, const kernels::RowFormat& key_format,
                           int64_t token_capacity, int thread_count);
  // Returns the bytes that reserve_length may have taken at most for a sequence of that length.
  static int64_t length_bytes_max(const IndexerConfig& config, int64_t length, int thread_count);

  // Grows the lists of scores, before a pass. It doubles, so that decoding allocates ever more
  // rarely. Error: not enough memory.
  Status reserve_length(int64_t length_max);

  // Returns the rows that so many tokens attend.
  ops::Picks picks(int64_t token_count);

  TakenBuffers taken;

  AlignedBuffer<float> query;                              // [n, index heads * index dim]
  AlignedBuffer<float> key;                                // [n, index dim]
  AlignedBuffer<float> head_weights;                       // [n, index heads]
  AlignedBuffer<int32_t> picked;                           // [n, k]
  AlignedBuffer<int32_t> picked_count;                     // [n]
  AlignedBuffer<const std::byte*> picked_places;           // [n, k]
  std::vector<AlignedBuffer<std::byte>> encoded_queries;   // [threads][queries at once]
  std::vector<AlignedBuffer<float>> scores;                // [threads][queries at once][rows]
  std::vector<AlignedBuffer<const std::byte*>> row_lists;  // [threads][k]

 private:
  IndexWorkspace() = default;
  template <class Allocate>
  void size_buffers(const IndexerConfig& config, const kernels::RowFormat& key_format,
                    int64_t token_capacity, int thread_count, const Allocate& allocate);
  template <class Grow>
  bool size_lists(int64_t head_count, int64_t length, const Grow& grow);

  int64_t head_count_ = 0;
  int64_t top_k_ = 0;
};

}  // namespace kvasir::model::decoder
