// What caches take, and in how many ways.
#include "engine/engine_state.h"
#include "kernels/codecs/codec.h"
#include "kv/coding.h"
#include "kv/layout.h"
#include "kvasir/engine.h"

namespace kvasir {

std::vector<CacheCoding> cache_codings() {
  std::vector<CacheCoding> codings;
  for (const kv::CodingScheme& scheme : kv::coding_schemes()) {
    const kernels::Codec& keys = *kernels::find_codec(scheme.keys);
    const kernels::Codec& values = *kernels::find_codec(scheme.values);
    codings.push_back({.name = scheme.name,
                       .what = scheme.what,
                       .is_row_format = keys.is_read_at_once,
                       .joins_rows = keys.group_rows > 1 || values.group_rows > 1});
  }
  return codings;
}

int64_t CacheSize::bytes(int64_t token_count) const {
  if (token_count == 0) return fixed_bytes;
  const int64_t block_count = (token_count + block_tokens - 1) / block_tokens;
  return block_count * block_bytes + whole_bytes + fixed_bytes;
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
