// A Workspace has every buffer that a forward pass writes besides the cache. Its size is fixed for
// a number of tokens, so a pass allocates nothing but lists that grow with the longest sequence.
// All sequences share it; one pass at a time. In comments n is the tokens of the pass; the other
// letters are those of config.h, with d and dv of a cached row where attention is latent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"
#include "model/pass_buffers.h"
#include "ops/product.h"

namespace kvasir::model::decoder {

// What attention works with: of latent attention, the widths of the latent row.
struct RowWidths {
  int64_t key = 0;    // d
  int64_t value = 0;  // dv
};
RowWidths row_widths(const Config& config);

struct Workspace {
  Workspace(const Config& config, int64_t token_capacity);

  // Returns the bytes that the constructor takes, without taking them.
  static int64_t bytes_for(const Config& config, int64_t token_capacity);

  TakenBuffers taken;

  std::vector<ops::Product> products;  // of the step that is under way

  AlignedBuffer<float> residual;          // [n, D]
  AlignedBuffer<float> input;             // [n, D] of a branch
  AlignedBuffer<float> attention_output;  // [n, D]
  AlignedBuffer<float> mlp_output;        // [n, D]

  AlignedBuffer<float> query;           // [n, H * d]
  AlignedBuffer<float> key;             // [n, K * d]
  AlignedBuffer<float> value;           // [n, K * dv]
  AlignedBuffer<float> attended;        // [n, H * dv]
  AlignedBuffer<float> query_rank;      // [n, query rank]
  AlignedBuffer<float> head_query;      // [n, H * (plain + rope)] of latent attention
  AlignedBuffer<float> head_value;      // [n, H * value] of latent attention
  AlignedBuffer<std::byte> new_keys;    // [n, bytes of a key row] where there are windows
  AlignedBuffer<std::byte> new_values;  // [n, bytes of a value row]

  AlignedBuffer<float> gate;    // [n, F] of the widest layer without experts, or the shared expert
  AlignedBuffer<float> up;      // [n, F]
  AlignedBuffer<float> router;  // [n, E]
  AlignedBuffer<int32_t> expert_ids;     // [n, e]
  AlignedBuffer<float> expert_weights;   // [n, e]
  AlignedBuffer<int32_t> grouped_slots;  // [n * e]
  AlignedBuffer<int32_t> slot_places;    // [n * e]
  AlignedBuffer<int64_t> expert_starts;  // [E + 1]
  AlignedBuffer<float> expert_input;     // [n * e, D]
  AlignedBuffer<float> expert_gate;      // [n * e, F]
  AlignedBuffer<float> expert_up;        // [n * e, F]
  AlignedBuffer<float> expert_output;    // [n * e, D]
  AlignedBuffer<float> shared_weight;    // [n, 1]

 private:
  Workspace() = default;
  template <class Allocate>
  void size_buffers(const Config& config, int64_t token_capacity, const Allocate& allocate);
};

}  // namespace kvasir::model::decoder
