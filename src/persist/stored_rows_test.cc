#include "persist/stored_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "store/block_store.h"
#include "store_driver.h"
#include "temp_directory.h"

namespace kvasir::persist {
namespace {

using testing::TempDirectory;

constexpr int64_t kRowBytes = 520;
constexpr int64_t kBlockBytes = 41 * kRowBytes + 17;

class StoredRowsTest : public ::testing::Test {
 protected:
  StoredRowsTest() {
    auto store = store::BlockStore::open(store::posix_file_system(),
                                         {.directory = folder_.path(), .min_free_bytes = 0});
    store_ = std::move(*store);
    std::mt19937 random(1);
    for (std::byte& byte : payload_) byte = static_cast<std::byte>(random());
    const std::vector<int32_t> tokens(128, 1);
    EXPECT_TRUE(store_->put({.id = id_, .tokens = tokens}, payload_).ok());
  }

  std::shared_ptr<StoredPart> part() {
    return std::make_shared<StoredPart>(*store_->open_pieces(id_, kBlockBytes, {}), *account_);
  }
  bool is_right(int64_t offset_bytes, const std::vector<std::byte>& found) const {
    return std::memcmp(payload_.data() + offset_bytes, found.data(), kRowBytes) == 0;
  }

  TempDirectory folder_;
  std::unique_ptr<store::BlockStore> store_;
  store::RecordId id_{store::Kind::kBlock, testing::key_of(1, 0)};
  std::vector<std::byte> payload_ = std::vector<std::byte>(kBlockBytes);
  std::shared_ptr<kv::MemoryAccount> account_ = std::make_shared<kv::MemoryAccount>();
};

// Rows lie across pieces and are asked for in any order; the last one ends with the block.
TEST_F(StoredRowsTest, RowsComeFromWhereverTheyLie) {
  const auto one = part();
  const auto two = part();
  std::mt19937 random(2);
  for (const int64_t pieces_max : {1, 2, 64}) {
    StoredRows rows(*store_, kRowBytes, kBlockBytes, pieces_max);
    ASSERT_TRUE(rows.check_memory().ok());
    for (int round = 0; round < 20; ++round) {
      std::vector<kv::RowRead> reads;
      for (StoredPart* part : {one.get(), two.get()}) {
        const int64_t shift = random() % 2 == 0 ? 0 : 17;
        for (int64_t row = 0; row < 41; ++row) {
          if (random() % 3 != 0) continue;
          reads.push_back({.part = part, .offset_bytes = row * kRowBytes + shift});
        }
      }
      std::shuffle(reads.begin(), reads.end(), random);
      std::vector<std::vector<std::byte>> found(reads.size());
      for (size_t i = 0; i < reads.size(); ++i) {
        found[i].resize(kRowBytes);
        reads[i].out = found[i].data();
      }
      rows.start(reads);
      ASSERT_TRUE(rows.finish().ok());
      for (size_t i = 0; i < reads.size(); ++i) {
        EXPECT_TRUE(is_right(reads[i].offset_bytes, found[i]));
      }
    }
  }
}

TEST_F(StoredRowsTest, WhatGoesWithAPartIsCharged) {
  const auto one = part();
  EXPECT_EQ(account_->allocated_bytes(), StoredPart::bytes_for(kBlockBytes));
  part();
  EXPECT_EQ(account_->allocated_bytes(), StoredPart::bytes_for(kBlockBytes));
}

TEST_F(StoredRowsTest, RowsThatAreGoneAreAnErrorNotOthers) {
  const auto one = part();
  ASSERT_TRUE(store_->remove({&id_, 1}).ok());
  StoredRows rows(*store_, kRowBytes, kBlockBytes, 8);
  std::vector<std::byte> out(kRowBytes);
  const kv::RowRead read{.part = one.get(), .out = out.data()};
  rows.start({&read, 1});
  const Status finished = rows.finish();
  ASSERT_FALSE(finished.ok());
  EXPECT_EQ(finished.error().kind, ErrorKind::kDamaged);
}

TEST_F(StoredRowsTest, PartsOfOtherBlocksAndRowsOutsideAreBugs) {
  const auto one = part();
  std::vector<std::byte> out(kRowBytes);
  StoredRows rows(*store_, kRowBytes, kBlockBytes, 8);
  const kv::RowRead behind{
      .part = one.get(), .offset_bytes = kBlockBytes - kRowBytes + 1, .out = out.data()};
  EXPECT_DEATH(rows.start({&behind, 1}), "inside of its block");
  StoredRows larger(*store_, kRowBytes, 2'000'000, 8);
  const kv::RowRead read{.part = one.get(), .out = out.data()};
  EXPECT_DEATH(larger.start({&read, 1}), "a block of the layout");
  const kv::RowRead twice[] = {read, read};
  EXPECT_DEATH(rows.start(twice), "every row once");
}

}  // namespace
}  // namespace kvasir::persist
