// A Pass refers to all that the parts of a forward pass work with. It owns nothing and lives for
// one pass, on one thread.
#pragma once

#include <span>

#include "kv/row_cache.h"
#include "kvasir/result.h"
#include "kvasir/study.h"
#include "model/decoder/config.h"
#include "model/decoder/geometry.h"
#include "model/decoder/index_workspace.h"
#include "model/decoder/weights.h"
#include "model/decoder/workspace.h"
#include "ops/ops.h"
#include "ops/rope.h"

namespace kvasir::model::decoder {

// The angles of one rope by which keys that are kept before they were turned are turned.
struct KeyRopeTables {
  ops::RopeTable places;
  ops::RopeTable blocks;
};

class CodingStudy;

struct Pass {
  const Config& config;
  std::span<const LayerStreams> streams;
  ops::Ops& ops;
  const ops::Batch& batch;
  std::span<const ops::RopeTable> ropes;
  std::span<const KeyRopeTables> key_ropes;
  Workspace& work;
  IndexWorkspace& index_work;
  kv::RowCache* row_cache;  // null: every row is in memory
  const PickSink& on_picks;
  const RowSink& on_rows;     // empty: nobody asks for rows
  CodingStudy* coding_study;  // null: there is none, or none of this pass

  int64_t token_count() const { return batch.token_count(); }
  const LayerConfig& layer(int64_t index) const {
    return config.layers[static_cast<size_t>(index)];
  }
  ops::View<float> view(AlignedBuffer<float>& buffer, int64_t cols) const {
    return ops::view_of(buffer, token_count(), cols);
  }
};

// y = projection x. [n, D] -> [n, rows]
void project(Pass& pass, const Projection& projection, ops::View<const float> x,
             ops::View<float> y);
// The same of several projections of one x.
struct Projected {
  const Projection& projection;
  ops::View<float> y;
};
void project_all(Pass& pass, std::span<const Projected> projected, ops::View<const float> x);
// y = norm of x; y may be x. Of no norm: a copy.
void normalise(Pass& pass, const NormWeights& weights, ops::View<const float> x,
               ops::View<float> y);

// Rows of a stream [n, vectors * width] enter its blocks, or the blocks that they complete.
// `encoded`: of a window.
void write_rows(Pass& pass, int64_t stream, ops::View<const float> rows,
                ops::View<std::byte> encoded);
// What later passes need of rows that were attended.
void keep_rows(Pass& pass, int64_t stream, ops::View<const float> rows,
               ops::View<const std::byte> encoded);

// Tells Pass::on_rows of the rows of a stream that blocks hold. Error: the sink's.
Status report_rows(const Pass& pass, int64_t layer, int64_t stream, RowKind kind,
                   ops::View<const float> rows);

// Heads are what a layer attends with, as projections and norms leave them; of latent attention,
// the queries to the latents and the latents.
struct Heads {
  ops::View<float> query;  // [n, H * d]
  ops::View<float> key;    // [n, K * d]
  ops::View<float> value;  // [n, K * dv]; of nothing where latents are values too
};

// A HeadStep takes a layer's heads to what they attend.
struct HeadStep {
  const LayerStreams& streams;
  int64_t rope = -1;  // index into Pass::ropes; -1: nothing is turned. Latents are turned before.
  const AttentionWeights& weights;
  Heads heads;                // changed in place
  ops::View<float> attended;  // [n, H * dv]
};

// The steps of attention between its projections, in this order. The heads are turned, and their
// rows enter the blocks that they complete.
void enter_heads(Pass& pass, const HeadStep& step);
void enter_latents(Pass& pass, const HeadStep& step);
// The heads attend -> step.attended
void attend_heads(Pass& pass, const HeadStep& step);
void attend_latents(Pass& pass, const HeadStep& step);
// What later passes need stays. Of both.
void keep_heads(Pass& pass, const HeadStep& step);

// input [n, D] -> output [n, D]; the rows of the tokens enter their sequences. Error: rows that are
// not in memory could not be read.
Status run_attention(Pass& pass, int64_t layer, const AttentionWeights& weights,
                     ops::View<const float> input, ops::View<float> output);
Status run_latent_attention(Pass& pass, int64_t layer, const AttentionWeights& weights,
                            ops::View<const float> input, ops::View<float> output);
void run_mlp(Pass& pass, const ops::Mlp& mlp, ops::View<const float> input,
             ops::View<float> output);
void run_experts(Pass& pass, const ExpertsWeights& weights, ops::View<const float> input,
                 ops::View<float> output);

}  // namespace kvasir::model::decoder
