// A Workspace has every buffer that a forward pass writes besides the cache. Its size is fixed for
// a number of tokens, so a pass allocates nothing. All sequences share it; one pass at a time. In
// comments n is the tokens of the pass; the other letters are those of config.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "kvasir/result.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/geometry.h"
#include "model/pass_buffers.h"

namespace kvasir::model::deepseek_v4 {

struct Workspace {
  Workspace(const Config& config, const Geometry& geometry, int64_t token_capacity,
            int thread_count);

  // Returns the bytes that the constructor takes, without taking them.
  static int64_t bytes_for(const Config& config, const Geometry& geometry, int64_t token_capacity,
                           int thread_count);
  // Returns the bytes that reserve_length may have taken at most for a sequence of that length.
  static int64_t length_bytes_max(const Config& config, int64_t length, int thread_count);

  // Grows the buffers whose size depends on how long the sequences are. It is called before a pass,
  // not inside. It doubles, so that decoding allocates ever more rarely.
  // Error: not enough memory.
  Status reserve_length(const Config& config, int64_t length_max);

  TakenBuffers taken;

  AlignedBuffer<float> streams;      // [n, h * D] residual streams
  AlignedBuffer<float> mix;          // [n, (2 + h) * h]
  AlignedBuffer<float> inverse_rms;  // [n]
  AlignedBuffer<float> pre;          // [n, h]
  AlignedBuffer<float> post;         // [n, h]
  AlignedBuffer<float> combine;      // [n, h, h]
  AlignedBuffer<float> input;        // [n, D] of the sub-layer, after its norm
  AlignedBuffer<float> output;       // [n, D] of the sub-layer

  AlignedBuffer<float> query_rank;    // [n, Rq]
  AlignedBuffer<float> query;         // [n, H * d]
  AlignedBuffer<float> attended;      // [n, H * d]
  AlignedBuffer<float> grouped;       // [n, G * Ro]
  AlignedBuffer<float> row;           // [n, d]
  AlignedBuffer<std::byte> raw_rows;  // [n, row bytes], encoded
  AlignedBuffer<float> values;        // [n, 2 * max(d, di)] of a compressor
  AlignedBuffer<float> gates;         // [n, 2 * max(d, di)]

  AlignedBuffer<float> index_query;                      // [n, Hi * di]
  AlignedBuffer<float> index_head_weights;               // [n, Hi]
  AlignedBuffer<int32_t> picked;                         // [n, K] compressed rows, ascending
  AlignedBuffer<int32_t> picked_count;                   // [n]
  AlignedBuffer<const std::byte*> picked_rows;           // [n, K] where they lie (PickedRows)
  std::vector<AlignedBuffer<std::byte>> encoded_query;   // [threads] index queries scored at once
  std::vector<AlignedBuffer<float>> scores;              // [threads][queries at once][CSA rows]
  std::vector<AlignedBuffer<const std::byte*>> visible;  // [threads][window + rows]

  AlignedBuffer<float> router;           // [n, E]
  AlignedBuffer<int32_t> expert_ids;     // [n, e]
  AlignedBuffer<float> expert_scores;    // [n, e] weights of the picked experts
  AlignedBuffer<int32_t> grouped_slots;  // [n * e] slots (token * e + pick) ordered by expert
  AlignedBuffer<int32_t> slot_rows;      // [n * e] a slot's place in that order
  AlignedBuffer<int64_t> expert_starts;  // [E + 1] into grouped_slots
  AlignedBuffer<float> expert_input;     // [n * e, D]
  AlignedBuffer<float> expert_gate;      // [n * e, F]
  AlignedBuffer<float> expert_up;        // [n * e, F]
  AlignedBuffer<float> expert_output;    // [n * e, D]
  AlignedBuffer<float> shared_gate;      // [n, shared F]
  AlignedBuffer<float> shared_up;        // [n, shared F]

 private:
  Workspace() = default;
  template <class Allocate>
  void size_buffers(const Config& config, const Geometry& geometry, int64_t token_capacity,
                    int thread_count, const Allocate& allocate);
  template <class Grow>
  bool size_lists(const Config& config, int64_t length, const Grow& grow);
};

}  // namespace kvasir::model::deepseek_v4
