// A Pass refers to all that the parts of a forward pass work with. It owns nothing and lives for
// one pass.
#pragma once

#include "kv/row_cache.h"
#include "model/compute.h"
#include "model/deepseek_v4/batch.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/weights.h"
#include "model/deepseek_v4/workspace.h"

namespace kvasir::model::deepseek_v4 {

struct Pass {
  const Config& config;
  const Geometry& geometry;
  const VisibleRows& visible_rows;
  Compute& compute;
  const Batch& batch;
  Workspace& work;
  kv::RowCache* row_cache;  // null: every row is in memory
  const PickSink& on_picks;
};

}  // namespace kvasir::model::deepseek_v4
