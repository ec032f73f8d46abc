#include "model/deepseek_v4/picked_rows.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::model {
namespace {

bool any_cold_parts(const Batch& batch) {
  return std::any_of(batch.segments().begin(), batch.segments().end(),
                     [](const Segment& segment) { return segment.sequence->hot_part_count() > 0; });
}

}  // namespace

PickedRows::PickedRows(Context& context, int64_t layer) : context_(context), layer_(layer) {
  tokens_per_group_ = context.batch.token_count();
  if (context.config.layers[static_cast<size_t>(layer)] == LayerKind::kCsa &&
      context.visible_rows.csa && any_cold_parts(context.batch)) {
    KVASIR_CHECK(context.row_cache != nullptr, "rows that are not in memory have a cache");
    tokens_per_group_ =
        std::max<int64_t>(1, context.row_cache->capacity_rows() / 2 / context.config.index_top_k);
    begin_group();
  } else {
    group_.end = tokens_per_group_;
  }
}

void PickedRows::begin_group() {
  const Batch& batch = context_.batch;
  const int64_t k = context_.config.index_top_k;
  group_ = {group_.end, std::min(group_.end + tokens_per_group_, batch.token_count())};
  if (group_.begin == group_.end) return;
  kv::RowCache& cache = *context_.row_cache;
  cache.begin_group();
  for (int64_t token = group_.begin; token < group_.end; ++token) {
    const kv::Sequence& sequence = batch.sequence_of(token);
    const int32_t* picked = &context_.work.picked[token * k];
    const std::byte** rows = &context_.work.picked_rows[token * k];
    for (int32_t i = 0; i < context_.work.picked_count[token]; ++i) {
      kv::ColdPart* part = sequence.cold_part_of(layer_, picked[i]);
      rows[i] = part == nullptr ? sequence.row(layer_, picked[i])
                                : cache.ask(*part, sequence.row_offset_bytes(layer_, picked[i]));
    }
  }
  cache.start();
  is_reading_ = true;
}

Result<TokenRange> PickedRows::next() {
  const TokenRange ready = group_;
  if (!is_reading_) {
    group_.begin = group_.end;
    return ready;
  }
  is_reading_ = false;
  KVASIR_RETURN_IF_ERROR(context_.row_cache->finish());
  begin_group();
  return ready;
}

}  // namespace kvasir::model
