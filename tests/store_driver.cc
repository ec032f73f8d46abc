#include "store_driver.h"

#include <algorithm>
#include <cstring>

namespace kvasir::testing {

store::Key key_of(int64_t conversation, int64_t block) {
  return Sha256().add_value(conversation).add_value(block).finish();
}

store::RecordId id_of(const TestRecord& record) {
  return {record.kind, key_of(record.conversation, record.block)};
}

std::vector<std::byte> payload_of(const TestRecord& record) {
  // SplitMix64: quick, for the millions of payloads that tests compare.
  uint64_t state = static_cast<uint64_t>(record.conversation * 1000 + record.block) * 2 +
                   static_cast<uint64_t>(record.kind);
  const auto next = [&state] {
    uint64_t z = (state += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  };
  std::vector<std::byte> payload(300 + next() % 9000);
  for (size_t i = 0; i < payload.size(); i += sizeof(uint64_t)) {
    const uint64_t word = next();
    std::memcpy(payload.data() + i, &word, std::min(sizeof word, payload.size() - i));
  }
  return payload;
}

Result<store::PutOutcome> put(store::BlockStore& store, const TestRecord& record) {
  const bool is_block = record.kind == store::Kind::kBlock;
  std::vector<int32_t> tokens;
  if (is_block) tokens.assign(128, static_cast<int32_t>(record.conversation));
  return store.put(
      {.id = id_of(record),
       .parent = key_of(record.conversation, is_block ? record.block - 1 : record.block),
       .token_begin = (record.block + (is_block ? 0 : 1)) * 128,
       .tokens = tokens},
      payload_of(record));
}

ReadOutcome read(store::BlockStore& store, const TestRecord& record) {
  const std::vector<std::byte> expected = payload_of(record);
  std::vector<std::byte> found(expected.size());
  if (!store.read(id_of(record), found)) return ReadOutcome::kMiss;
  return found == expected ? ReadOutcome::kRight : ReadOutcome::kWrong;
}

}  // namespace kvasir::testing
