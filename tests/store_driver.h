// Driving a BlockStore in tests: records whose bytes follow from their key, so that whatever a read
// gives back can be checked without remembering it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/block_store.h"
#include "store/hold.h"

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

// Blocks 0 to block_count - 1 and a state behind the last; false: one was not taken.
bool put_conversation(store::BlockStore& store, int64_t conversation, int64_t block_count);

// The file as the next version of the format would write these pages, checksums included.
enum class PagesOf : uint8_t { kRecords, kFooter, kBoth };
void make_newer(std::vector<std::byte>& segment, PagesOf pages);

enum class ReadOutcome : uint8_t { kMiss, kRight, kWrong };
ReadOutcome read(store::BlockStore& store, const TestRecord& record);

}  // namespace kvasir::testing
