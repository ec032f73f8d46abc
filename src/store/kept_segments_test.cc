// What a store must leave alone: whatever it does, these bytes stay, count and are named.
#include "store/kept_segments.h"

#include <gtest/gtest.h>

#include "simulated_disk.h"
#include "store/block_store.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::make_newer;
using testing::PagesOf;
using testing::put_conversation;
using testing::read;
using testing::ReadOutcome;
using testing::SimulatedDisk;

constexpr int64_t kMiB = int64_t{1} << 20;
const std::string kFirst = "/store/" + segment_file_name(1);

BlockStoreOptions options(int64_t budget_bytes = 64 * kMiB) {
  return {.directory = "/store", .budget_bytes = budget_bytes, .min_free_bytes = 0};
}

BlockStoreOptions reading() {
  BlockStoreOptions wanted = options();
  wanted.is_writer = false;
  return wanted;
}

std::unique_ptr<BlockStore> open(const std::shared_ptr<SimulatedDisk>& disk,
                                 const BlockStoreOptions& wanted = options()) {
  auto store = BlockStore::open(disk, wanted);
  EXPECT_TRUE(store.ok()) << store.error().message();
  return std::move(store).value();
}

// A disk with one closed segment that holds conversation 1.
std::shared_ptr<SimulatedDisk> disk_with_a_segment() {
  auto disk = std::make_shared<SimulatedDisk>();
  EXPECT_TRUE(put_conversation(*open(disk), 1, 20));
  return disk;
}

void cut_footer_off(std::vector<std::byte>& segment) {
  segment.resize(segment.size() - static_cast<size_t>(footer_bytes(21)));
}

std::string notes_of(const BlockStore& store) {
  std::string text;
  for (const Error& note : store.notes()) text += note.message() + "\n";
  return text;
}

bool has_conversation(BlockStore& store, int64_t conversation) {
  return read(store, {conversation, 0}) == ReadOutcome::kRight &&
         read(store, {conversation, 19, Kind::kState}) == ReadOutcome::kRight;
}

// Everything that writes, shortens or deletes; the first segment has to survive it byte for byte.
void expect_kept(const std::shared_ptr<SimulatedDisk>& disk, const std::string& reason) {
  const std::vector<std::byte> before = *disk->contents(kFirst);
  {
    auto store = open(disk);
    EXPECT_NE(notes_of(*store).find(reason), std::string::npos) << notes_of(*store);
    EXPECT_NE(notes_of(*store).find(kFirst), std::string::npos);
    EXPECT_NE(notes_of(*store).find(std::to_string(before.size())), std::string::npos)
        << "its bytes are named";
    EXPECT_GE(store->size().file_bytes, std::ssize(before)) << "and count";
    store->shrink_to_budget();
    EXPECT_TRUE(put_conversation(*store, 2, 20));
    EXPECT_TRUE(has_conversation(*store, 2));
    const auto damages = store->verify(true, {});
    ASSERT_TRUE(damages.ok());
    EXPECT_TRUE(damages->empty());
    const RecordId ids[] = {testing::id_of({1, 3}), testing::id_of({2, 3})};
    EXPECT_TRUE(store->remove(ids).ok());
    EXPECT_TRUE(store->shrink_to(0).ok());
    EXPECT_TRUE(put_conversation(*store, 3, 5));
    EXPECT_TRUE(store->clear().ok());
    EXPECT_EQ(store->size().file_bytes, std::ssize(before)) << "all else is gone";
  }
  ASSERT_NE(disk->contents(kFirst), nullptr);
  EXPECT_TRUE(*disk->contents(kFirst) == before);
}

TEST(KeptSegments, WhatALaterVersionWroteStays) {
  for (const PagesOf pages : {PagesOf::kRecords, PagesOf::kFooter, PagesOf::kBoth}) {
    for (const bool has_footer : {true, false}) {
      if (!has_footer && pages == PagesOf::kFooter) continue;
      auto disk = disk_with_a_segment();
      make_newer(*disk->contents(kFirst), pages);
      if (!has_footer) cut_footer_off(*disk->contents(kFirst));
      expect_kept(disk, "another version");
    }
  }
}

// A later version went on in a segment of this one.
TEST(KeptSegments, OneNewerRecordKeepsItsSegment) {
  auto disk = disk_with_a_segment();
  std::vector<std::byte> newer = *disk->contents(kFirst);
  make_newer(newer, PagesOf::kRecords);
  cut_footer_off(newer);
  std::vector<std::byte>& segment = *disk->contents(kFirst);
  cut_footer_off(segment);
  const size_t last =
      segment.size() -
      static_cast<size_t>(kPageBytes +
                          padded_to_pages(std::ssize(testing::payload_of({1, 19, Kind::kState}))));
  std::copy(newer.begin() + static_cast<int64_t>(last), newer.end(),
            segment.begin() + static_cast<int64_t>(last));
  expect_kept(disk, "another version");
}

TEST(KeptSegments, WhatCannotBeReadIsNotDamagedAndStays) {
  auto disk = disk_with_a_segment();
  disk->forbid(kFirst);
  expect_kept(disk, "cannot be read");
}

TEST(KeptSegments, AnotherUsersSegmentIsReadAndStays) {
  auto disk = disk_with_a_segment();
  disk->set_owner(kFirst, 1234);
  {
    auto store = open(disk);
    EXPECT_TRUE(has_conversation(*store, 1));
    EXPECT_TRUE(store->shrink_to(0).ok());
    EXPECT_TRUE(has_conversation(*store, 1)) << "evicting it would free nothing";
  }
  expect_kept(disk, "belongs to another user, kept");
}

TEST(KeptSegments, AFileOfOtherContentsStays) {
  auto disk = disk_with_a_segment();
  const std::string letter = "Dear Anne, the book is yours. " + std::string(9000, 'x');
  std::vector<std::byte>& file = *disk->contents(kFirst);
  for (const size_t bytes : {size_t{7}, size_t{30}, size_t{4096}, letter.size()}) {
    file.resize(bytes);
    std::memcpy(file.data(), letter.data(), bytes);
    expect_kept(disk, "has the name of a segment and is none");
  }
}

// As after copying an exported conversation, or one of another store, into this one.
TEST(KeptSegments, ASegmentUnderAnotherNumberStays) {
  auto disk = disk_with_a_segment();
  const std::vector<std::byte> bytes = *disk->contents(kFirst);
  auto other = std::make_shared<SimulatedDisk>();
  other->make_directory("/store");
  const std::string path = "/store/" + segment_file_name(7);
  other->open(path, OpenMode::kCreate).object->write(0, bytes);
  auto store = open(other);
  EXPECT_TRUE(put_conversation(*store, 2, 3));
  EXPECT_TRUE(store->clear().ok());
  EXPECT_NE(notes_of(*store).find(path), std::string::npos);
  EXPECT_TRUE(*other->contents(path) == bytes);
}

// What a writer left that died before its first record was whole is its own.
TEST(KeptSegments, AnUnfinishedSegmentIsGoneOnIn) {
  for (const size_t bytes : {size_t{0}, size_t{5}, size_t{8192}}) {
    auto disk = disk_with_a_segment();
    disk->contents(kFirst)->assign(bytes, std::byte{0});
    if (bytes > 4096) (*disk->contents(kFirst))[5000] = std::byte{7};
    auto store = open(disk);
    EXPECT_TRUE(store->notes().empty());
    EXPECT_TRUE(put_conversation(*store, 2, 20));
    EXPECT_EQ(store->size().segment_count, 1);
  }
}

TEST(KeptSegments, LinksPipesAndFoldersAreSkippedAndNamed) {
  for (const FileKind kind : {FileKind::kLink, FileKind::kDirectory, FileKind::kOther}) {
    auto disk = disk_with_a_segment();
    const std::vector<std::byte> before = *disk->contents(kFirst);
    disk->set_kind(kFirst, kind);
    for (const BlockStoreOptions& wanted : {reading(), options()}) {
      auto store = open(disk, wanted);
      EXPECT_NE(notes_of(*store).find("has the name of a segment"), std::string::npos);
      EXPECT_TRUE(store->verify(false, {})->empty());
    }
    auto store = open(disk);
    EXPECT_TRUE(put_conversation(*store, 2, 20));
    EXPECT_TRUE(store->clear().ok());
    EXPECT_TRUE(*disk->contents(kFirst) == before);
  }
}

// As backups by hard links make them: what is appended would change the backup.
TEST(KeptSegments, AFileOfTwoNamesIsReadAndDeletedButNotWritten) {
  auto disk = disk_with_a_segment();
  cut_footer_off(*disk->contents(kFirst));
  const std::vector<std::byte> before = *disk->contents(kFirst);
  disk->set_name_count(kFirst, 2);
  auto store = open(disk);
  EXPECT_TRUE(has_conversation(*store, 1));
  EXPECT_TRUE(put_conversation(*store, 2, 20));
  EXPECT_TRUE(*disk->contents(kFirst) == before);
  EXPECT_TRUE(store->clear().ok());
  EXPECT_EQ(disk->contents(kFirst), nullptr);
}

TEST(KeptSegments, ABudgetTheyTakeUpIsSaidAndEvictsNothing) {
  auto disk = disk_with_a_segment();
  EXPECT_TRUE(put_conversation(*open(disk), 9, 3));
  std::vector<std::byte>& newer = *disk->contents(kFirst);
  make_newer(newer, PagesOf::kBoth);
  newer.resize(static_cast<size_t>(5 * kMiB + kMiB / 2 + kMiB / 4));
  std::rotate(newer.begin(), newer.end() - kPageBytes, newer.end());
  make_newer(newer, PagesOf::kBoth);
  EXPECT_TRUE(put_conversation(*open(disk), 2, 3));
  auto store = open(disk, options(6 * kMiB));
  EXPECT_FALSE(put_conversation(*store, 3, 200));
  EXPECT_NE(notes_of(*store).find("no room"), std::string::npos);
  EXPECT_NE(notes_of(*store).find("kept as they are; give it more"), std::string::npos)
      << notes_of(*store);
  EXPECT_EQ(read(*store, {2, 0}), ReadOutcome::kRight);
}

TEST(KeptSegments, AStoreThatCannotBeWrittenIsRead) {
  auto disk = disk_with_a_segment();
  disk->set_read_only();
  EXPECT_FALSE(BlockStore::open(disk, options()).ok());
  BlockStoreOptions wanted = options();
  wanted.may_only_read = true;
  auto store = open(disk, wanted);
  EXPECT_FALSE(store->is_writer());
  EXPECT_TRUE(has_conversation(*store, 1));
  EXPECT_NE(notes_of(*store).find("Read-only file system"), std::string::npos);
  EXPECT_NE(notes_of(*store).find("nothing is saved"), std::string::npos);
}

TEST(KeptSegments, AnotherUsersStoreIsRead) {
  auto disk = disk_with_a_segment();
  disk->set_owner("/store/LOCK", 1234);
  const auto refused = BlockStore::open(disk, options());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("belongs to another user"), std::string::npos);
  BlockStoreOptions wanted = options();
  wanted.may_only_read = true;
  auto store = open(disk, wanted);
  EXPECT_TRUE(has_conversation(*store, 1));
  EXPECT_NE(notes_of(*store).find("user 1234; it is read"), std::string::npos) << notes_of(*store);
}

TEST(KeptSegments, ADeviceTooFullIsSaidOnce) {
  auto disk = std::make_shared<SimulatedDisk>(kMiB);
  BlockStoreOptions wanted = options();
  wanted.min_free_bytes = 2 * kMiB;
  auto store = open(disk, wanted);
  EXPECT_TRUE(store->notes().empty());
  EXPECT_FALSE(put_conversation(*store, 1, 3));
  EXPECT_FALSE(put_conversation(*store, 2, 3));
  ASSERT_EQ(store->notes().size(), 1u);
  EXPECT_EQ(store->notes()[0].kind, ErrorKind::kNoRoom);
  EXPECT_NE(notes_of(*store).find("too full"), std::string::npos);
}

TEST(KeptSegments, WhereNoStoreIsNoneIsMade) {
  auto disk = std::make_shared<SimulatedDisk>();
  BlockStoreOptions wanted = options();
  wanted.must_exist = true;
  for (const bool is_writer : {true, false}) {
    wanted.is_writer = is_writer;
    const auto missing = BlockStore::open(disk, wanted);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  }
  EXPECT_FALSE(disk->look("/store").ok());
  disk->make_directory("/store");
  EXPECT_FALSE(BlockStore::open(disk, wanted).ok()) << "a folder that is no store";
}

}  // namespace
}  // namespace kvasir::store
