#include "kvasir/cache_size.h"

#include "engine/engine_state.h"
#include "kv/coding.h"
#include "kv/layout.h"
#include "kvasir/engine.h"

namespace kvasir {

std::vector<CacheCoding> cache_codings() {
  std::vector<CacheCoding> codings;
  for (const kv::CodingScheme& scheme : kv::coding_schemes()) {
    codings.push_back({.name = scheme.name,
                       .what = scheme.what,
                       .is_row_format = kv::is_row_format(scheme),
                       .joins_rows = kv::joins_rows(scheme),
                       .is_for_some = scheme.use != kv::SchemeUse::kAll,
                       .needs_learning = kv::needs_learning(scheme)});
  }
  return codings;
}

Status check_precision(std::string_view kv) {
  KVASIR_ASSIGN_OR_RETURN([[maybe_unused]] const kv::CachePrecision precision,
                          kv::parse_precision(kv));
  return ok_status();
}

int64_t CacheSize::bytes(int64_t token_count) const {
  if (token_count == 0) return fixed_bytes;
  const int64_t block_count = (token_count + block_tokens - 1) / block_tokens;
  return block_count * block_bytes + whole_bytes + fixed_bytes;
}

double CacheSize::bits() const {
  return block_values == 0
             ? 0
             : 8.0 * static_cast<double>(block_bytes) / static_cast<double>(block_values);
}

Result<CacheSize> Engine::cache_size(const std::string& kv) const {
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheLayout layout, state_->model->layout_in(kv));
  return CacheSize{.block_tokens = kv::kBlockTokens,
                   .block_bytes = layout.block_bytes(),
                   .block_values = layout.block_values(),
                   .whole_bytes = layout.whole_bytes,
                   .fixed_bytes = layout.fixed_bytes()};
}

}  // namespace kvasir
