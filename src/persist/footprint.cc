#include "persist/footprint.h"

#include <algorithm>

#include "kv/row_cache.h"
#include "persist/stored_rows.h"
#include "store/record.h"

namespace kvasir::persist {
namespace {

// The newest boundary's, the one before, and one on its way to the store.
constexpr int64_t kStates = 3;
constexpr int64_t kPiecesMin = 64;
constexpr int64_t kPiecesMax = 1024;

int64_t record_bytes(int64_t payload_bytes) {
  return store::RecordInfo{.payload_bytes = payload_bytes}.record_bytes();
}

}  // namespace

ColdFootprint cold_footprint(const kv::CacheLayout& layout, const PassNeeds& needs) {
  const int64_t picked_rows = layout.cold_bytes == 0 ? 0 : needs.picked_rows_max;
  const int64_t blocks = needs.tokens_max / kv::kBlockTokens + 2;
  // A row may lie in two pages.
  const int64_t pieces = std::clamp(2 * picked_rows, kPiecesMin, kPiecesMax);
  return {.rows_bytes_min =
              kv::RowCache::bytes_for(layout.cold_row_bytes, 2 * std::max<int64_t>(1, picked_rows)),
          .read_pieces_max = pieces,
          .read_bytes = pieces * store::piece_bytes_for(layout.block_bytes()),
          .pass_bytes = blocks * layout.block_bytes() + kStates * layout.boundary_state_bytes(),
          .bytes_per_block = StoredPart::bytes_for(layout.block_bytes())};
}

int64_t cache_share_of(int64_t budget_bytes) {
  return budget_bytes - std::min(kProcessBytesMax, budget_bytes / kProcessShare);
}

int64_t budget_for(int64_t cache_bytes) {
  return std::min(cache_bytes + kProcessBytesMax,
                  cache_bytes + cache_bytes / (kProcessShare - 1) + 1);
}

int64_t ram_bytes_min(const kv::CacheLayout& layout, const PassNeeds& needs, int64_t token_count) {
  const ColdFootprint cold = cold_footprint(layout, needs);
  const int64_t per_block_bytes = layout.hot_bytes + cold.bytes_per_block;
  return budget_for(layout.fixed_bytes() + layout.block_count(token_count) * per_block_bytes +
                    cold.read_bytes + cold.pass_bytes + cold.rows_bytes_min);
}

int64_t stored_block_bytes(const kv::CacheLayout& layout) {
  return record_bytes(layout.block_bytes());
}

int64_t stored_state_bytes(const kv::CacheLayout& layout) {
  return record_bytes(layout.boundary_state_bytes());
}

}  // namespace kvasir::persist
