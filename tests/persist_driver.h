// Driving persist/ in tests: a small cache whose rows follow from its tokens, so that what comes
// back from a store can be checked without a model.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kv/row_cache.h"
#include "persist/persistence.h"
#include "store/block_store.h"

namespace kvasir::testing {

// A layer of windows alone, one with picked rows and index keys, one whose rows are all attended.
kv::CacheSpec small_cache_spec();

// Ids that are those of no other seed.
std::vector<int32_t> some_tokens(int64_t count, int32_t seed);

// A cache and the store that it is kept in, as one process has them.
struct CacheInStore {
  // Ends the test program when the store does not open. budget_bytes 0: none.
  CacheInStore(const std::string& directory, const kv::CacheSpec& spec, int64_t budget_bytes = 0);

  persist::Resumed resume(std::span<const int32_t> tokens, std::string_view salt = {});
  // One pass; ends the test program when it is refused.
  void append(persist::Resumed& live, std::span<const int32_t> tokens);
  // Passes that end where the recorder wants them to.
  void append_all(persist::Resumed& live, std::span<const int32_t> tokens);
  // Whether every row is what its tokens make it, wherever it lies.
  bool is_right(persist::Resumed& live);

  store::BlockStore& store() { return persistence->store(); }

  std::shared_ptr<const kv::CacheLayout> layout;
  std::shared_ptr<kv::MemoryAccount> account = std::make_shared<kv::MemoryAccount>();
  std::unique_ptr<persist::Persistence> persistence;

 private:
  const std::byte* read(persist::Resumed& live, int64_t stream, int64_t row);
};

// The identity that every CacheInStore has, and what hangs on it.
persist::CacheIdentity test_identity();
std::vector<store::Key> keys_of(const kv::CacheLayout& layout, std::span<const int32_t> tokens);
// What the store has to say of block `block` of some tokens, with another payload.
Result<store::PutOutcome> put_block(store::BlockStore& store, const kv::CacheLayout& layout,
                                    std::span<const int32_t> tokens, int64_t block,
                                    std::span<const std::byte> payload);

}  // namespace kvasir::testing
