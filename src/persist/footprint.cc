#include "persist/footprint.h"

#include <algorithm>

#include "base/check.h"
#include "kv/row_cache.h"
#include "persist/stored_rows.h"
#include "store/record.h"

namespace kvasir::persist {
namespace {

// The state of the newest boundary, the one before it, and one on its way to the store.
constexpr int64_t kStates = 3;
constexpr int64_t kPiecesMin = 64;
constexpr int64_t kPiecesMax = 1024;

int64_t record_bytes(int64_t payload_bytes) {
  return store::RecordInfo{.payload_bytes = payload_bytes}.record_bytes();
}

}  // namespace

ColdFootprint cold_footprint(const kv::CacheLayout& layout, const PassNeeds& needs) {
  KVASIR_CHECK(needs.tokens_max >= 0 && needs.picked_rows_max >= 0, "needs of a pass");
  const int64_t blocks = needs.tokens_max / kv::kBlockTokens + 2;
  ColdFootprint cold{.pass_bytes =
                         layout.blocks_bytes(blocks) + kStates * layout.boundary_state_bytes()};
  if (layout.cold_bytes == 0) return cold;
  const int64_t rows = 2 * std::max<int64_t>(1, needs.picked_rows_max);
  cold.rows_bytes_min = kv::RowCache::bytes_for(layout.cold_row_bytes, rows);
  // A row may lie in two pages.
  cold.read_pieces_max = std::clamp(rows, kPiecesMin, kPiecesMax);
  cold.read_bytes = cold.read_pieces_max * store::piece_bytes_for(layout.block_bytes());
  cold.bytes_per_block = StoredPart::bytes_for(layout.block_bytes());
  return cold;
}

int64_t cache_share_of(int64_t budget_bytes) {
  return budget_bytes - std::min(kProcessBytesMax, budget_bytes / kProcessShare);
}

int64_t budget_for(int64_t cache_bytes) {
  KVASIR_CHECK(cache_bytes >= 0, "a size");
  return std::min(cache_bytes + kProcessBytesMax,
                  cache_bytes + cache_bytes / (kProcessShare - 1) + 1);
}

int64_t ram_bytes_min(const kv::CacheLayout& layout, const PassNeeds& needs, int64_t token_count) {
  const ColdFootprint cold = cold_footprint(layout, needs);
  const int64_t per_block_bytes = layout.hot_bytes + cold.bytes_per_block;
  return budget_for(layout.fixed_bytes() + layout.whole_bytes +
                    layout.block_count(token_count) * per_block_bytes + cold.read_bytes +
                    cold.pass_bytes + cold.rows_bytes_min);
}

int64_t stored_block_bytes(const kv::CacheLayout& layout) {
  return record_bytes(layout.block_bytes());
}

int64_t stored_state_bytes(const kv::CacheLayout& layout) {
  return record_bytes(layout.boundary_state_bytes());
}

}  // namespace kvasir::persist
