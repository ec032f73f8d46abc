// Driving a BlockStore in tests: records whose bytes follow from their key, so that whatever a read
// gives back can be checked without remembering it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/block_store.h"

namespace kvasir::testing {

// One chain of blocks per conversation; states may stand behind any block.
struct TestRecord {
  int64_t conversation = 0;
  int64_t block = 0;
  store::Kind kind = store::Kind::kBlock;
};

store::Key key_of(int64_t conversation, int64_t block);
store::RecordId id_of(const TestRecord& record);
// Between a few hundred and some thousand bytes, different for every record.
std::vector<std::byte> payload_of(const TestRecord& record);

Result<store::PutOutcome> put(store::BlockStore& store, const TestRecord& record);

enum class ReadOutcome : uint8_t { kMiss, kRight, kWrong };
ReadOutcome read(store::BlockStore& store, const TestRecord& record);

}  // namespace kvasir::testing
