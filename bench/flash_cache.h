// These functions make a cache of DeepSeek-V4-Flash geometry, without a model.
// Benchmarks of the store and of decoding fill it with made-up rows. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "kv/sequence.h"
#include "persist/persistence.h"

namespace kvasir::bench {

constexpr int32_t kFlashVocabSize = 129'280;
constexpr int64_t kFlashTopK = 512;
constexpr int64_t kFlashPassTokens = 256;

// Returns the layout of DeepSeek-V4-Flash's 43 layers, in native precision.
std::shared_ptr<const kv::CacheLayout> flash_layout();
// The same in a precision as `--kv` says. Errors: as model/deepseek_v4/geometry.h.
Result<std::shared_ptr<const kv::CacheLayout>> flash_layout_in(std::string_view precision);

// Opens a store in `directory`. ram_bytes: the cache's RAM budget; 0: all rows in RAM. Errors: as
// Persistence::open, or no memory for the budget.
Result<std::unique_ptr<persist::Persistence>> open_flash_persistence(
    const std::string& directory, const std::shared_ptr<const kv::CacheLayout>& layout,
    const std::shared_ptr<kv::MemoryAccount>& account, int64_t ram_bytes);
// The budget alone. Error: as Persistence::set_ram_budget.
Status set_flash_ram_budget(persist::Persistence& persistence, int64_t ram_bytes);

// Calls visit(stream, row) for every row in blocks that the tokens [begin, end) complete. With 4
// tokens a row, tokens [6, 13) complete rows 1 and 2.
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

// Draws token ids of the vocabulary.
void draw_tokens(Random& random, std::span<int32_t> tokens);
// Fills a row with random bytes, eight at a time; up to seven at the end stay as they are.
void fill_random(Random& random, std::span<std::byte> row);

// Appends tokens to a sequence as one pass of an engine does: room first, what is to be saved
// afterwards. write(begin, end) -> Status writes the rows of those tokens while the sequence does
// not count them yet. Errors: no memory, the RAM budget is too small, or what `write` returned.
template <class Write>
Status append_pass(persist::Persistence& persistence, persist::Resumed& live,
                   std::span<const int32_t> tokens, const Write& write) {
  const int64_t begin = live.sequence.length();
  const persist::Appending pass{
      .sequence = &live.sequence, .recorder = &live.recorder, .token_count = std::ssize(tokens)};
  KVASIR_RETURN_IF_ERROR(persistence.make_room({&pass, 1}));
  KVASIR_ASSIGN_OR_RETURN(kv::Block state_memory,
                          live.recorder.state_memory(live.sequence, std::ssize(tokens)));
  KVASIR_RETURN_IF_ERROR(live.sequence.begin_append(tokens));
  KVASIR_RETURN_IF_ERROR(write(begin, begin + std::ssize(tokens)));
  live.sequence.finish_append();
  live.recorder.after_pass(live.sequence, std::move(state_memory));
  return ok_status();
}

}  // namespace kvasir::bench
