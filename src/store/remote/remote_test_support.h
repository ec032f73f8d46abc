// Chains whose bytes follow from their place, and stores to keep them in: what the tests of a
// remote tier share, with an engine in memory.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "base/random.h"
#include "store/block_store.h"
#include "store/file_system.h"
#include "store/remote/chain.h"
#include "store/remote/endpoint.h"
#include "store/remote/fake_engine.h"
#include "temp_directory.h"

namespace kvasir::store::remote {

// A chain of that many blocks; those of one seed begin alike.
inline Chain make_chain(uint64_t seed, int64_t blocks, const PayloadSizes& sizes) {
  Chain chain{.root = Sha256().add_value(seed).finish(),
              .model = Sha256().add_text("m").finish(),
              .sizes = sizes};
  Random random(seed);
  for (int64_t i = 0; i < blocks; ++i) {
    for (int64_t t = 0; t < kRecordTokensMax; ++t) {
      chain.tokens.push_back(static_cast<int32_t>(random.below(1000)));
    }
    const Key parent = chain.parent_of(i);
    chain.keys.push_back(Sha256().add(parent).add(std::as_bytes(chain.tokens_of(i))).finish());
  }
  return chain;
}

inline std::vector<std::byte> payload_of(const RecordId& id, int64_t bytes) {
  Random random(KeyHash()(id.key) + static_cast<uint64_t>(id.kind));
  std::vector<std::byte> payload(static_cast<size_t>(bytes));
  for (std::byte& byte : payload) byte = static_cast<std::byte>(random.bits());
  return payload;
}

// Reads the beginning of an object, or all of it, and waits for that.
inline ReadOutcome read_now(Endpoint& endpoint, const ObjectName& name, int64_t bytes,
                            bool is_whole) {
  const auto batch = std::make_shared<ReadBatch>();
  batch->memory = AlignedBuffer<std::byte>(bytes);
  batch->reads.push_back({.name = name,
                          .is_whole = is_whole,
                          .into = {batch->memory.data(), static_cast<size_t>(bytes)}});
  const auto done = std::make_shared<std::promise<void>>();
  endpoint.read(batch, Clock::now() + std::chrono::seconds(20),
                [done](const Status&) { done->set_value(); });
  done->get_future().wait();
  return batch->reads[0].outcome;
}

// As if it had always answered within that time, and much had been asked.
inline void remember(HedgeRule& rule, HedgeRule::Kind kind, std::chrono::milliseconds took) {
  for (int64_t size = 1; size < int64_t{1} << 30; size *= 4) {
    for (int i = 0; i < 50; ++i) rule.answered(kind, size, took);
  }
  for (int i = 0; i < 1000; ++i) rule.begin(kind, 1);
}

// A store in a directory of its own.
struct OwnStore {
  explicit OwnStore(int64_t budget_bytes = int64_t{1} << 30)
      : blocks(BlockStore::open(posix_file_system(), {.directory = directory.path(),
                                                      .budget_bytes = budget_bytes,
                                                      .min_free_bytes = 0,
                                                      .durability = Durability::kNone})
                   .value()) {}

  void put_block(const Chain& chain, int64_t count) {
    const int64_t index = count - 1;
    const RecordId id = chain.block_id(count);
    EXPECT_TRUE(blocks
                    ->put({.id = id,
                           .parent = chain.parent_of(index),
                           .model = chain.model,
                           .token_begin = index * kRecordTokensMax,
                           .tokens = chain.tokens_of(index)},
                          payload_of(id, chain.sizes.of_block(index)))
                    .ok());
  }
  void put_state(const Chain& chain, int64_t count) {
    const RecordId id = chain.state_id(count);
    EXPECT_TRUE(blocks
                    ->put({.id = id,
                           .parent = id.key,
                           .model = chain.model,
                           .token_begin = count * kRecordTokensMax},
                          payload_of(id, chain.sizes.state_bytes))
                    .ok());
  }
  // Blocks [1, count] and states at their end and at every anchor.
  void put_chain(const Chain& chain, int64_t count) {
    for (int64_t i = 1; i <= count; ++i) {
      put_block(chain, i);
      if (i % 32 == 0 || i == count) put_state(chain, i);
    }
  }
  bool has(const RecordId& id) const { return blocks->find(id).has_value(); }
  // Whether it has these very bytes.
  bool is_right(const RecordId& id, int64_t bytes) const {
    std::vector<std::byte> payload(static_cast<size_t>(bytes));
    return blocks->read(id, payload).ok() && payload == payload_of(id, bytes);
  }
  // How many blocks it has from the chain's first on, all of them right.
  int64_t right_blocks(const Chain& chain) const {
    int64_t count = 0;
    while (count < chain.block_count() &&
           is_right(chain.block_id(count + 1), chain.sizes.of_block(count))) {
      ++count;
    }
    return count;
  }

  testing::TempDirectory directory;
  std::unique_ptr<BlockStore> blocks;
};

}  // namespace kvasir::store::remote
