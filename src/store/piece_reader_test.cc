// Pieces of blocks, from the machine's own files and from a simulated disk that damages and moves
// them.
#include "store/piece_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "simulated_disk.h"
#include "store_driver.h"
#include "temp_directory.h"

namespace kvasir::store {
namespace {

using testing::SimulatedDisk;
using testing::TempDirectory;
using testing::TestRecord;

constexpr int64_t kHeadBytes = 300;

int64_t payload_bytes(const TestRecord& record) { return std::ssize(testing::payload_of(record)); }

// Payload bytes behind the head, put together from all pieces.
std::vector<std::byte> read_pieces(PieceReader& reader, PieceSource& source, bool& all_right) {
  PageBuffer memory(source.piece_count() * source.checks.piece_bytes);
  std::vector<PieceRead> reads;
  for (int64_t piece = 0; piece < source.piece_count(); ++piece) {
    reads.push_back({.source = &source,
                     .piece = piece,
                     .out = {memory.data() + piece * source.checks.piece_bytes,
                             static_cast<size_t>(source.stored_bytes(piece))}});
  }
  reader.start(reads);
  reader.finish();
  all_right = true;
  for (const PieceRead& read : reads) all_right = all_right && read.is_right;
  return {memory.data(), memory.data() + source.payload_bytes};
}

std::vector<std::byte> read_pieces(BlockStore& store, PieceSource& source, bool& all_right) {
  PieceReader reader(store);
  return read_pieces(reader, source, all_right);
}

std::unique_ptr<BlockStore> open(std::shared_ptr<FileSystem> files, const std::string& directory) {
  auto store = BlockStore::open(std::move(files), {.directory = directory, .min_free_bytes = 0});
  EXPECT_TRUE(store.ok()) << store.error().message();
  return std::move(store).value();
}

TEST(PieceReader, HeadAndPiecesMakeTheBlock) {
  const TempDirectory folder;
  auto store = open(posix_file_system(), folder.path());
  std::vector<std::byte> head(kHeadBytes);
  for (int64_t b = 0; b < 20; ++b) ASSERT_TRUE(testing::put(*store, {1, b}).ok());
  for (int64_t b = 0; b < 20; ++b) {
    const std::vector<std::byte> payload = testing::payload_of({1, b});
    auto source = store->open_pieces(testing::id_of({1, b}), std::ssize(payload), head);
    ASSERT_TRUE(source);
    EXPECT_EQ(std::memcmp(head.data(), payload.data(), head.size()), 0);
    bool all_right = false;
    EXPECT_EQ(read_pieces(*store, *source, all_right), payload);
    EXPECT_TRUE(all_right);
  }
  EXPECT_FALSE(store->open_pieces(testing::id_of({2, 0}), kHeadBytes, head));
}

TEST(PieceReader, FollowsARecordThatCleaningMoved) {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open(disk, "/store");
  for (int64_t b = 0; b < 4; ++b) ASSERT_TRUE(testing::put(*store, {1, b}).ok());
  auto source = store->open_pieces(testing::id_of({1, 0}), payload_bytes({1, 0}), {});
  ASSERT_TRUE(source);
  const RecordId other = testing::id_of({1, 3});
  ASSERT_TRUE(store->remove(std::span(&other, 1)).ok());
  const uint64_t old_segment = source->place.get().segment_number;
  bool all_right = false;
  EXPECT_EQ(read_pieces(*store, *source, all_right), testing::payload_of({1, 0}));
  EXPECT_TRUE(all_right);
  EXPECT_NE(source->place.get().segment_number, old_segment);
}

// Whoever asks knows how long the block has to be: what is not is damage, with and without a head.
TEST(PieceReader, ABlockOfAnotherLengthIsDamage) {
  for (const int64_t more : {-300, -1, 1, 4096, 2'000'000}) {
    for (const int64_t head_bytes : {int64_t{0}, kHeadBytes}) {
      auto disk = std::make_shared<SimulatedDisk>();
      auto store = open(disk, "/store");
      ASSERT_TRUE(testing::put(*store, {1, 0}).ok());
      std::vector<std::byte> head(static_cast<size_t>(head_bytes));
      const int64_t asked = payload_bytes({1, 0}) + more;
      EXPECT_FALSE(store->open_pieces(testing::id_of({1, 0}), asked, head));
      EXPECT_EQ(store->metrics()[StoreMetric::kVerifyFailures], 1);
      EXPECT_FALSE(store->find(testing::id_of({1, 0})));
      // It is found no more, so that the right one can be put.
      EXPECT_EQ(testing::put(*store, {1, 0}).value(), PutOutcome::kWritten);
    }
  }
}

// Several threads read one source while cleaning moves its record again and again.
TEST(PieceReader, ThreadsShareASourceThatMoves) {
  const TempDirectory folder;
  auto store = open(posix_file_system(), folder.path());
  ASSERT_TRUE(testing::put(*store, {1, 0}).ok());
  auto source = store->open_pieces(testing::id_of({1, 0}), payload_bytes({1, 0}), {});
  ASSERT_TRUE(source);
  std::atomic<bool> is_done = false;
  std::atomic<int64_t> right_reads = 0;
  // They are made before all threads and go after them, as those of engines do.
  std::vector<std::unique_ptr<PieceReader>> readers;
  for (int i = 0; i < 3; ++i) readers.push_back(std::make_unique<PieceReader>(*store));
  std::vector<std::jthread> threads;
  for (const auto& reader : readers) {
    threads.emplace_back([&] {
      while (!is_done) {
        bool all_right = false;
        EXPECT_EQ(read_pieces(*reader, *source, all_right), testing::payload_of({1, 0}));
        right_reads += all_right;
      }
    });
  }
  for (int64_t b = 1; b < 40; ++b) {
    ASSERT_TRUE(testing::put(*store, {2, b}).ok());
    const RecordId other = testing::id_of({2, b});
    ASSERT_TRUE(store->remove(std::span(&other, 1)).ok());
  }
  is_done = true;
  threads.clear();
  EXPECT_GT(right_reads, 0);
}

TEST(PieceReader, EveryFlippedByteIsNoticed) {
  auto disk = std::make_shared<SimulatedDisk>();
  { ASSERT_TRUE(testing::put(*open(disk, "/store"), {1, 0}).ok()); }
  std::vector<std::byte>& bytes = *disk->contents("/store/" + segment_file_name(1));
  const int64_t length = payload_bytes({1, 0});
  for (size_t i = 0; i < static_cast<size_t>(length); i += 7) {
    bytes[kPageBytes + i] ^= std::byte{0x10};
    auto damaged = disk->after_kill();
    bytes[kPageBytes + i] ^= std::byte{0x10};
    auto reading =
        BlockStore::open(damaged, {.directory = "/store", .is_writer = false, .min_free_bytes = 0});
    std::vector<std::byte> head(kHeadBytes);
    auto source = (*reading)->open_pieces(testing::id_of({1, 0}), length, head);
    // The first piece holds the head.
    ASSERT_EQ(source.has_value(), i >= static_cast<size_t>(kPageBytes));
    if (!source) continue;
    bool all_right = true;
    read_pieces(**reading, *source, all_right);
    EXPECT_FALSE(all_right);
    EXPECT_EQ((*reading)->metrics()[StoreMetric::kVerifyFailures], 1);
    EXPECT_FALSE((*reading)->find(testing::id_of({1, 0})));
  }
}

TEST(PieceReader, RecordsOfVersionOneHaveNoPieces) {
  auto store = BlockStore::open(
      posix_file_system(),
      {.directory = KVASIR_SOURCE_DIR "/tests/golden_store/v1", .is_writer = false});
  ASSERT_TRUE(store.ok());
  EXPECT_FALSE((*store)->open_pieces(testing::id_of({1, 0}), payload_bytes({1, 0}), {}));
  EXPECT_EQ(testing::read(**store, {1, 0}), testing::ReadOutcome::kRight);
}

}  // namespace
}  // namespace kvasir::store
