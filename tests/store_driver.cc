#include "store_driver.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

namespace kvasir::testing {
namespace {

struct MadeRecord {
  store::RecordId id;
  store::Key parent;
  std::vector<std::byte> payload;
};

// Crash tests put and read the same few hundred records a million times: each is made once. The
// reference holds until the next call on this thread.
const MadeRecord& made_of(const TestRecord& record) {
  constexpr size_t kRecordsMax = 4096;
  using Place = std::tuple<int64_t, int64_t, store::Kind>;
  thread_local std::map<Place, MadeRecord> made;
  const Place place{record.conversation, record.block, record.kind};
  const auto found = made.find(place);
  if (found != made.end()) return found->second;
  if (made.size() == kRecordsMax) made.clear();
  const int64_t parent = record.kind == store::Kind::kBlock ? record.block - 1 : record.block;
  return made[place] = {.id = id_of(record),
                        .parent = key_of(record.conversation, parent),
                        .payload = payload_of(record)};
}

}  // namespace

store::Key key_of(int64_t conversation, int64_t block) {
  return Sha256().add_value(conversation).add_value(block).finish();
}

store::RecordId id_of(const TestRecord& record) {
  return {record.kind, key_of(record.conversation, record.block)};
}

std::vector<std::byte> payload_of(const TestRecord& record) {
  // SplitMix64: quick, for the many payloads that tests compare.
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
  const MadeRecord& made = made_of(record);
  return store.put({.id = made.id,
                    .parent = made.parent,
                    .token_begin = (record.block + (is_block ? 0 : 1)) * 128,
                    .tokens = tokens},
                   made.payload);
}

bool put_conversation(store::BlockStore& store, int64_t conversation, int64_t block_count) {
  const auto is_taken = [&](const TestRecord& record) {
    const auto outcome = put(store, record);
    return outcome.ok() && *outcome != store::PutOutcome::kNoRoom;
  };
  bool is_whole = true;
  // The newest block is held while the next is written, as a live conversation does.
  for (int64_t b = 0; b < block_count && is_whole; ++b) {
    const store::Hold hold(store, key_of(conversation, b - 1));
    is_whole = is_taken({conversation, b});
  }
  const store::Hold hold(store, key_of(conversation, block_count - 1));
  return is_whole && is_taken({conversation, block_count - 1, store::Kind::kState});
}

void make_newer(std::vector<std::byte>& segment, PagesOf pages) {
  constexpr size_t kVersionOffset = 8;
  constexpr uint32_t kNewer = store::kFormatVersion + 1;
  for (size_t at = 0; at + store::kPageBytes <= segment.size(); at += store::kPageBytes) {
    const std::span<std::byte> page = std::span(segment).subspan(at, store::kPageBytes);
    const bool is_record = std::memcmp(page.data(), "KVASRRD1", 8) == 0;
    const bool is_footer = std::memcmp(page.data(), "KVASRFT1", 8) == 0;
    if (!(is_record && pages != PagesOf::kFooter) && !(is_footer && pages != PagesOf::kRecords)) {
      continue;
    }
    std::memcpy(page.data() + kVersionOffset, &kNewer, sizeof kNewer);
    const size_t checked_bytes = page.size() - sizeof(Digest128);
    const Digest128 checksum = xxh3_128(page.first(checked_bytes));
    std::memcpy(page.data() + checked_bytes, checksum.data(), sizeof checksum);
  }
}

ReadOutcome read(store::BlockStore& store, const TestRecord& record) {
  const MadeRecord& expected = made_of(record);
  std::vector<std::byte> found(expected.payload.size());
  if (!store.read(expected.id, found)) return ReadOutcome::kMiss;
  // gcc 12 compares vectors of std::byte one byte at a time.
  const bool is_same = std::memcmp(found.data(), expected.payload.data(), found.size()) == 0;
  return is_same ? ReadOutcome::kRight : ReadOutcome::kWrong;
}

}  // namespace kvasir::testing
