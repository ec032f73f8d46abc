#include "bench/flash_cache.h"

#include <limits>

#include "kv/flash_spec.h"

namespace kvasir::bench {

std::shared_ptr<const kv::CacheLayout> flash_layout() {
  return std::make_shared<const kv::CacheLayout>(
      kv::make_layout(kv::flash_spec(kernels::CachePrecision::kNative)));
}

Result<std::unique_ptr<persist::Persistence>> open_flash_persistence(
    const std::string& directory, const std::shared_ptr<const kv::CacheLayout>& layout,
    const std::shared_ptr<kv::MemoryAccount>& account, int64_t ram_bytes) {
  KVASIR_ASSIGN_OR_RETURN(
      auto persistence,
      persist::Persistence::open({.directory = directory,
                                  .budget_bytes = std::numeric_limits<int64_t>::max() / 2,
                                  .min_free_bytes = 0},
                                 {}, layout, account));
  if (ram_bytes != 0) {
    KVASIR_RETURN_IF_ERROR(persistence->keep_within(
        {.budget_bytes = ram_bytes,
         .pass = {.tokens_max = kFlashPassTokens, .picked_rows_max = kFlashTopK}}));
  }
  return persistence;
}

}  // namespace kvasir::bench
