#include "ops/picked_rows.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::ops {

PickedRows::PickedRows(const Batch& batch, int64_t stream, const Picks& picks,
                       kv::RowCache* row_cache)
    : batch_(batch), stream_(stream), picks_(picks), row_cache_(row_cache) {
  if (stream < 0 || !batch.stream(stream).is_cold() || !batch.has_cold_parts()) {
    group_.end = batch.token_count();
    return;
  }
  KVASIR_CHECK(row_cache != nullptr, "rows that are not in memory have a cache");
  tokens_per_group_ = std::max<int64_t>(1, row_cache->capacity_rows() / 2 / picks.rows.cols);
  begin_group();
}

void PickedRows::begin_group() {
  group_ = {group_.end, std::min(group_.end + tokens_per_group_, batch_.token_count())};
  if (group_.begin == group_.end) return;
  row_cache_->begin_group();
  for (int64_t token = group_.begin; token < group_.end; ++token) {
    const kv::Sequence& sequence = batch_.sequence_of(token);
    const int32_t* picked = picks_.rows.row(token);
    const std::byte** places = picks_.places.row(token);
    for (int32_t i = 0; i < picks_.counts[token]; ++i) {
      kv::ColdPart* part = sequence.cold_part_of(stream_, picked[i]);
      places[i] = part == nullptr
                      ? sequence.row(stream_, picked[i])
                      : row_cache_->ask(*part, sequence.row_offset_bytes(stream_, picked[i]));
    }
  }
  row_cache_->start();
  is_reading_ = true;
}

Result<TokenRange> PickedRows::next() {
  const TokenRange ready = group_;
  if (!is_reading_) {
    group_.begin = group_.end;
    return ready;
  }
  is_reading_ = false;
  KVASIR_RETURN_IF_ERROR(row_cache_->finish());
  begin_group();
  return ready;
}

}  // namespace kvasir::ops
