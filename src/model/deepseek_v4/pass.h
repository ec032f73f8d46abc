// A Pass refers to all that the parts of a forward pass work with. It owns nothing and lives for
// one pass, on one thread.
#pragma once

#include "base/check.h"
#include "kv/row_cache.h"
#include "kvasir/study.h"
#include "model/deepseek_v4/batch.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/weights.h"
#include "model/deepseek_v4/workspace.h"
#include "ops/ops.h"

namespace kvasir::model::deepseek_v4 {

struct Pass {
  const Config& config;
  const Geometry& geometry;
  const VisibleRows& visible_rows;
  ops::Ops& ops;
  const Batch& batch;
  Workspace& work;
  kv::RowCache* row_cache;  // null: every row is in memory
  const PickSink& on_picks;

  int64_t token_count() const { return batch.tokens.token_count(); }
  // Returns the rows that the tokens of a CSA layer attend.
  ops::Picks picks() const {
    KVASIR_CHECK(token_count() <= work.picked_count.size(), "a count for every token");
    return {.rows = ops::view_of(work.picked, token_count(), config.index_top_k),
            .counts = work.picked_count.data(),
            .places = ops::view_of(work.picked_rows, token_count(), config.index_top_k)};
  }
};

}  // namespace kvasir::model::deepseek_v4
