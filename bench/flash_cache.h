// These functions make a cache of DeepSeek-V4-Flash geometry in native precision, without a model.
// Benchmarks of the store and of decoding fill themselves with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kv/sequence.h"
#include "persist/persistence.h"

namespace kvasir::bench {

constexpr int32_t kFlashVocabSize = 129'280;
constexpr int64_t kFlashTopK = 512;
constexpr int64_t kFlashPassTokens = 256;

std::shared_ptr<const kv::CacheLayout> flash_layout();

// Over a store in `directory`. ram_bytes: of the cache; 0: all rows in RAM.
Result<std::unique_ptr<persist::Persistence>> open_flash_persistence(
    const std::string& directory, const std::shared_ptr<const kv::CacheLayout>& layout,
    const std::shared_ptr<kv::MemoryAccount>& account, int64_t ram_bytes);

// visit(stream, row) for every row in blocks that the tokens [begin, end) complete.
template <class Visit>
void for_each_new_row(const kv::CacheLayout& layout, int64_t begin, int64_t end,
                      const Visit& visit) {
  for (int64_t stream = 0; stream < std::ssize(layout.streams); ++stream) {
    const kv::Stream& spec = layout.streams[static_cast<size_t>(stream)].spec;
    for (int64_t row = kv::row_count(spec, begin); row < kv::row_count(spec, end); ++row) {
      visit(stream, row);
    }
  }
}

}  // namespace kvasir::bench
