#include "model/deepseek_v4/picked_rows.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::model::deepseek_v4 {
namespace {

bool any_cold_parts(const Batch& batch) {
  return std::any_of(batch.pieces().begin(), batch.pieces().end(),
                     [](const Piece& piece) { return piece.sequence->hot_part_count() > 0; });
}

}  // namespace

PickedRows::PickedRows(Pass& pass, int64_t layer)
    : pass_(pass), stream_(pass.geometry.of(layer).rows) {
  tokens_per_group_ = pass.batch.token_count();
  if (pass.config.layers[static_cast<size_t>(layer)] == LayerKind::kCsa &&
      pass.visible_rows.picked && any_cold_parts(pass.batch)) {
    KVASIR_CHECK(pass.row_cache != nullptr, "rows that are not in memory have a cache");
    tokens_per_group_ =
        std::max<int64_t>(1, pass.row_cache->capacity_rows() / 2 / pass.config.index_top_k);
    begin_group();
  } else {
    group_.end = tokens_per_group_;
  }
}

void PickedRows::begin_group() {
  const Batch& batch = pass_.batch;
  const int64_t k = pass_.config.index_top_k;
  group_ = {group_.end, std::min(group_.end + tokens_per_group_, batch.token_count())};
  if (group_.begin == group_.end) return;
  kv::RowCache& cache = *pass_.row_cache;
  cache.begin_group();
  for (int64_t token = group_.begin; token < group_.end; ++token) {
    const kv::Sequence& sequence = batch.sequence_of(token);
    const int32_t* picked = &pass_.work.picked[token * k];
    const std::byte** rows = &pass_.work.picked_rows[token * k];
    for (int32_t i = 0; i < pass_.work.picked_count[token]; ++i) {
      kv::ColdPart* part = sequence.cold_part_of(stream_, picked[i]);
      rows[i] = part == nullptr ? sequence.row(stream_, picked[i])
                                : cache.ask(*part, sequence.row_offset_bytes(stream_, picked[i]));
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
  KVASIR_RETURN_IF_ERROR(pass_.row_cache->finish());
  begin_group();
  return ready;
}

}  // namespace kvasir::model::deepseek_v4
