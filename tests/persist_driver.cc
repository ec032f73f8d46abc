#include "persist_driver.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "kv/test_support.h"
#include "persist/prefix_chain.h"

namespace kvasir::testing {
namespace {

constexpr int64_t kPickedRowsMax = 4;
constexpr int64_t kPassTokensMax = 256;

// Bytes that follow from a place and the newest token they depend on.
void make_bytes(int64_t stream, int64_t row, int32_t token, std::span<std::byte> out) {
  Random random(static_cast<uint64_t>(stream * 1'000'003 + row) * 65'537 +
                static_cast<uint64_t>(token));
  for (std::byte& byte : out) byte = static_cast<std::byte>(random.bits());
}

bool are_bytes(int64_t stream, int64_t row, int32_t token, std::span<const std::byte> found) {
  std::vector<std::byte> wanted(found.size());
  make_bytes(stream, row, token, wanted);
  return std::memcmp(wanted.data(), found.data(), found.size()) == 0;
}

// A row that no codec spreads over a group of them.
std::span<std::byte> row_at(std::byte* data, const kv::StreamLayout& stream) {
  return {data, static_cast<size_t>(stream.row_bytes)};
}
std::span<const std::byte> row_at(const std::byte* data, const kv::StreamLayout& stream) {
  return {data, static_cast<size_t>(stream.row_bytes)};
}

// Writes what a pass over tokens [begin, end) does.
void write_rows(kv::Sequence& sequence, std::span<const int32_t> tokens, int64_t begin) {
  const kv::CacheLayout& layout = sequence.layout();
  const int64_t end = begin + std::ssize(tokens);
  for (int64_t i = 0; i < std::ssize(layout.streams); ++i) {
    const kv::StreamLayout& stream = layout.streams[static_cast<size_t>(i)];
    const int64_t per_row = stream.spec.tokens_per_row;
    for (int64_t row = begin / per_row; row < end / per_row; ++row) {
      const int32_t token = tokens[static_cast<size_t>((row + 1) * per_row - 1 - begin)];
      std::byte* data =
          stream.is_in_blocks() ? sequence.writable_row(i, row) : sequence.window_row(i, row);
      make_bytes(i, row, token, row_at(data, stream));
    }
  }
}

}  // namespace

kv::CacheSpec small_cache_spec() { return kv::pooled_spec({.window_tokens = 8}); }

std::vector<int32_t> some_tokens(int64_t count, int32_t seed) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<int32_t>(i % 1000) + 1000 * seed);
  }
  return tokens;
}

persist::CacheIdentity test_identity() { return {.model = Sha256().add_text("a model").finish()}; }

std::vector<store::Key> keys_of(const kv::CacheLayout& layout, std::span<const int32_t> tokens) {
  return persist::block_keys(persist::root_key(test_identity(), layout), tokens);
}

Result<store::PutOutcome> put_block(store::BlockStore& store, const kv::CacheLayout& layout,
                                    std::span<const int32_t> tokens, int64_t block,
                                    std::span<const std::byte> payload) {
  const std::vector<store::Key> keys = keys_of(layout, tokens);
  const auto index = static_cast<size_t>(block);
  return store.put(
      {.id = {store::Kind::kBlock, keys[index]},
       .parent = block == 0 ? persist::root_key(test_identity(), layout) : keys[index - 1],
       .model = test_identity().model,
       .token_begin = block * kv::kBlockTokens,
       .tokens = tokens.subspan(static_cast<size_t>(block * kv::kBlockTokens), kv::kBlockTokens)},
      payload);
}

CacheInStore::CacheInStore(const std::string& directory, const kv::CacheSpec& spec,
                           int64_t budget_bytes)
    : layout(std::make_shared<const kv::CacheLayout>(kv::make_layout(spec))) {
  auto opened = persist::Persistence::open({.directory = directory, .min_free_bytes = 0},
                                           test_identity(), layout, account);
  KVASIR_CHECK(opened.ok(), opened.error().message().c_str());
  persistence = std::move(*opened);
  if (budget_bytes == 0) return;
  const Status kept = persistence->set_ram_budget(
      {.budget_bytes = budget_bytes,
       .pass = {.tokens_max = kPassTokensMax, .picked_rows_max = kPickedRowsMax}});
  KVASIR_CHECK(kept.ok(), kept.error().message().c_str());
}

persist::Resumed CacheInStore::resume(std::span<const int32_t> tokens, std::string_view salt) {
  auto resumed = persistence->resume(persistence->root_of(salt), tokens, std::ssize(tokens));
  KVASIR_CHECK(resumed.ok(), resumed.error().message().c_str());
  return std::move(*resumed);
}

void CacheInStore::append(persist::Resumed& live, std::span<const int32_t> tokens) {
  const persist::Appending pass{
      .sequence = &live.sequence, .recorder = &live.recorder, .token_count = std::ssize(tokens)};
  const Status room = persistence->make_room({&pass, 1});
  KVASIR_CHECK(room.ok(), room.error().message().c_str());
  auto state_memory = live.recorder.state_memory(live.sequence, std::ssize(tokens));
  KVASIR_CHECK(state_memory.ok(), state_memory.error().message().c_str());
  const int64_t begin = live.sequence.length();
  const Status begun = live.sequence.begin_append(tokens);
  KVASIR_CHECK(begun.ok(), begun.error().message().c_str());
  write_rows(live.sequence, tokens, begin);
  live.sequence.finish_append();
  live.recorder.after_pass(live.sequence, std::move(*state_memory));
}

void CacheInStore::append_all(persist::Resumed& live, std::span<const int32_t> tokens) {
  while (!tokens.empty()) {
    const int64_t begin = live.sequence.length();
    const int64_t end = live.recorder.pass_end(begin, begin + std::ssize(tokens));
    const auto count = static_cast<size_t>(std::min(end - begin, kPassTokensMax));
    append(live, tokens.first(count));
    tokens = tokens.subspan(count);
  }
}

const std::byte* CacheInStore::read(persist::Resumed& live, int64_t stream, int64_t row) {
  kv::ColdPart* part = live.sequence.cold_part_of(stream, row);
  const kv::Sequence& sequence = live.sequence;
  if (part == nullptr) return sequence.row(stream, row);
  kv::RowCache& rows = *persistence->residency()->rows();
  rows.begin_group();
  const std::byte* found = rows.ask(*part, sequence.row_offset_bytes(stream, row));
  rows.start();
  return rows.finish().ok() ? found : nullptr;
}

bool CacheInStore::is_right(persist::Resumed& live) {
  const kv::Sequence& sequence = live.sequence;
  const int64_t length = sequence.length();
  for (int64_t i = 0; i < std::ssize(layout->streams); ++i) {
    const kv::StreamLayout& stream = layout->streams[static_cast<size_t>(i)];
    const int64_t per_row = stream.spec.tokens_per_row;
    const int64_t first =
        stream.is_in_blocks() ? 0 : std::max<int64_t>(0, length - stream.spec.window_tokens);
    for (int64_t row = first; row < length / per_row; ++row) {
      const int32_t token = sequence.tokens()[static_cast<size_t>((row + 1) * per_row - 1)];
      const std::byte* found =
          stream.is_in_blocks() ? read(live, i, row) : sequence.window_row(i, row);
      if (found == nullptr || !are_bytes(i, row, token, row_at(found, stream))) return false;
    }
  }
  return true;
}

}  // namespace kvasir::testing
