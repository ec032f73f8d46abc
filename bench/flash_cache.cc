#include "bench/flash_cache.h"

#include <cstring>
#include <limits>

#include "base/check.h"
#include "model/deepseek_v4/geometry.h"

namespace kvasir::bench {

std::shared_ptr<const kv::CacheLayout> flash_layout() {
  auto layout = flash_layout_in("native");
  KVASIR_CHECK(layout.ok(), "a precision that is known");
  return *layout;
}

Result<std::shared_ptr<const kv::CacheLayout>> flash_layout_in(std::string_view precision) {
  // 43 layers: 2 of windows alone, then 21 of CSA and 20 of HCA in turn.
  using model::deepseek_v4::LayerKind;
  model::deepseek_v4::Config config;
  config.head_dim = 512;
  config.rope_dim = 64;
  config.index_head_dim = 128;
  config.window = 128;
  config.layers = {LayerKind::kWindow, LayerKind::kWindow};
  for (int layer = 2; layer < 43; ++layer) {
    config.layers.push_back(layer % 2 == 0 ? LayerKind::kCsa : LayerKind::kHca);
  }
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheSpec spec,
                          model::deepseek_v4::cache_spec(config, precision));
  return std::make_shared<const kv::CacheLayout>(kv::make_layout(spec));
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
  KVASIR_RETURN_IF_ERROR(set_flash_ram_budget(*persistence, ram_bytes));
  return persistence;
}

Status set_flash_ram_budget(persist::Persistence& persistence, int64_t ram_bytes) {
  if (ram_bytes == 0) return ok_status();
  return persistence.set_ram_budget(
      {.budget_bytes = ram_bytes,
       .pass = {.tokens_max = kFlashPassTokens, .picked_rows_max = kFlashTopK}});
}

void draw_tokens(Random& random, std::span<int32_t> tokens) {
  for (int32_t& token : tokens) token = static_cast<int32_t>(random.below(kFlashVocabSize));
}

void fill_random(Random& random, std::span<std::byte> row) {
  for (; row.size() >= sizeof(uint64_t); row = row.subspan(sizeof(uint64_t))) {
    const uint64_t word = random.bits();
    std::memcpy(row.data(), &word, sizeof word);
  }
}

}  // namespace kvasir::bench
