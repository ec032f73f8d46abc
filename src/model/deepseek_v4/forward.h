// A DeepSeekV4 is a loaded model. It has one forward path for everything: prefill in chunks,
// decode, any mix of sequences.
//
// SAME BITS: a token's logits depend on the weights, the tokens before it, the cache precision and
// the instruction set, and on nothing else. It owns the checkpoint and all working memory. One pass
// at a time, from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "checkpoint/weights.h"
#include "kv/layout.h"
#include "kv/sequence.h"
#include "kvasir/result.h"
#include "model/compute.h"
#include "model/deepseek_v4/batch.h"
#include "model/deepseek_v4/context.h"
#include "model/deepseek_v4/visible_rows.h"
#include "model/deepseek_v4/workspace.h"

namespace kvasir::model {

struct ModelOptions {
  kernels::CachePrecision precision = kernels::CachePrecision::kNative;
  kernels::Isa isa = kernels::Isa::kRef;
  int thread_count = 1;
  int64_t pass_tokens_max = 256;  // memory of a pass grows with it
  VisibleRows visible_rows;
  PickSink on_picks;  // may be empty
};

class DeepSeekV4 {
 public:
  // Error: no memory for a pass of pass_tokens_max tokens.
  static Result<std::unique_ptr<DeepSeekV4>> create(Checkpoint checkpoint,
                                                    const ModelOptions& options);

  // The checkpoint's config; VisibleRows may have lowered its index top-k.
  const ModelConfig& config() const { return config_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  const ModelOptions& options() const { return options_; }
  std::shared_ptr<const kv::CacheLayout> layout() const { return layout_; }

  // Appends every segment's tokens to its sequence and writes the logits asked for.
  // `row_cache` brings rows that are not in memory; null: all are in memory.
  // REQUIRES: 1 <= tokens in all <= pass_tokens_max.
  // Error: there is no memory for the cache; then no sequence has changed in what it holds. Or rows
  // could not be read; then sequences with cold parts still know their tokens, and are of no other
  // use.
  Status forward(std::span<const Segment> segments, kv::RowCache* row_cache);

 private:
  DeepSeekV4(Checkpoint checkpoint, const ModelOptions& options);

  void embed();
  Status run_layer(Context& context, int64_t layer);
  void write_logits(Context& context);

  ModelOptions options_;
  Checkpoint checkpoint_;
  ModelConfig config_;
  std::shared_ptr<const kv::CacheLayout> layout_;
  Compute compute_;
  Batch batch_;
  Workspace work_;
};

}  // namespace kvasir::model
