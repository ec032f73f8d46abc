// A Chain is a beginning of a text as records: its blocks from the first token on, each with the
// key that names all tokens up to its end, and the states that may stand behind them. A plain
// value, shared by those who look for it, bring it and write it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "store/key.h"
#include "store/record.h"

namespace kvasir::store::remote {

// Bytes of payloads, as the layout of the cache says them: nothing else is ever accepted.
struct PayloadSizes {
  int64_t first_block_bytes = 0;
  int64_t block_bytes = 0;
  int64_t state_bytes = 0;  // 0: a sequence can go on from every block, and no state is kept here

  int64_t of_block(int64_t index) const { return index == 0 ? first_block_bytes : block_bytes; }
};

struct Chain {
  Key root{};
  Key model{};
  std::vector<Key> keys;        // [blocks]
  std::vector<int32_t> tokens;  // [blocks * kRecordTokensMax]; none where it is only written
  PayloadSizes sizes;

  int64_t block_count() const { return std::ssize(keys); }
  // `blocks`: how many of the first ones; the record of a block is that of the last of them.
  RecordId block_id(int64_t blocks) const { return {Kind::kBlock, key_at(blocks)}; }
  RecordId state_id(int64_t blocks) const { return {Kind::kState, key_at(blocks)}; }
  const Key& key_at(int64_t blocks) const {
    KVASIR_CHECK(blocks > 0 && blocks <= block_count(), "a block of the chain");
    return keys[static_cast<size_t>(blocks - 1)];
  }
  const Key& parent_of(int64_t index) const { return index == 0 ? root : key_at(index); }
  std::span<const int32_t> tokens_of(int64_t index) const {
    if (tokens.empty()) return {};
    return std::span(tokens).subspan(static_cast<size_t>(index * kRecordTokensMax),
                                     static_cast<size_t>(kRecordTokensMax));
  }
};

}  // namespace kvasir::store::remote
