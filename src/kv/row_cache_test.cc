#include "kv/row_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace kvasir::kv {
namespace {

constexpr int64_t kRowBytes = 520;

class Part : public ColdPart {};

// A row's bytes follow from its part and place. They come when the batch is finished, not before.
class Reader : public RowReader {
 public:
  void start(std::span<const RowRead> reads) override {
    reads_.assign(reads.begin(), reads.end());
    row_count += std::ssize(reads);
    for (const RowRead& read : reads) std::memset(read.out, 0xee, kRowBytes);
  }
  Status finish() override {
    if (fails) return Error{.kind = ErrorKind::kNoMemory, .what = "no"};
    for (const RowRead& read : reads_) write(read);
    return ok_status();
  }
  static void write(const RowRead& read) {
    std::mt19937_64 random(read.part->id() * 1'000'003 + static_cast<uint64_t>(read.offset_bytes));
    for (int64_t i = 0; i < kRowBytes; i += 8) {
      const uint64_t word = random();
      std::memcpy(read.out + i, &word, 8);
    }
  }

  int64_t row_count = 0;
  bool fails = false;

 private:
  std::vector<RowRead> reads_;
};

class RowCacheTest : public ::testing::Test {
 protected:
  bool is_right(ColdPart& part, int64_t row, const std::byte* found) {
    std::vector<std::byte> wanted(kRowBytes);
    Reader::write({.part = &part, .offset_bytes = row * kRowBytes, .out = wanted.data()});
    return std::memcmp(wanted.data(), found, kRowBytes) == 0;
  }
  void ask_alone(RowCache& cache, ColdPart& part, int64_t row) {
    cache.begin_group();
    const std::byte* found = cache.ask(part, row * kRowBytes);
    cache.start();
    ASSERT_TRUE(cache.finish().ok());
    EXPECT_TRUE(is_right(part, row, found));
  }

  Reader reader_;
  std::shared_ptr<MemoryAccount> account_ = std::make_shared<MemoryAccount>();
};

TEST_F(RowCacheTest, RandomGroupsFindTheirRowsWhileTheNextIsRead) {
  RowCache cache(kRowBytes, account_, reader_);
  std::vector<std::unique_ptr<Part>> parts;
  for (int i = 0; i < 9; ++i) parts.push_back(std::make_unique<Part>());
  std::mt19937_64 random(1);
  struct Asked {
    size_t part;
    int64_t row;
    const std::byte* found;
  };
  std::vector<Asked> before;
  ASSERT_TRUE(cache.resize(300'000).ok());
  for (int group = 0; group < 600; ++group) {
    if (random() % 50 == 0) {
      before.clear();
      ASSERT_TRUE(cache.resize(static_cast<int64_t>(150'000 + random() % 400'000)).ok());
      EXPECT_EQ(account_->allocated_bytes(), cache.allocated_bytes());
    }
    cache.begin_group();
    std::vector<Asked> asked;
    std::set<std::pair<size_t, int64_t>> different;
    while (std::ssize(different) < cache.capacity_rows() / 2) {
      const size_t part = random() % parts.size();
      const auto row = static_cast<int64_t>(random() % 150);
      different.insert({part, row});
      asked.push_back({part, row, cache.ask(*parts[part], row * kRowBytes)});
    }
    cache.start();
    for (const Asked& one : before) ASSERT_TRUE(is_right(*parts[one.part], one.row, one.found));
    ASSERT_TRUE(cache.finish().ok());
    for (const Asked& one : asked) ASSERT_TRUE(is_right(*parts[one.part], one.row, one.found));
    before = std::move(asked);
  }
  EXPECT_EQ(cache.stats().read_rows, reader_.row_count);
  EXPECT_LT(cache.stats().read_rows, cache.stats().asked_rows);
}

TEST_F(RowCacheTest, NeverTakesMoreThanItIsGiven) {
  RowCache cache(kRowBytes, account_, reader_);
  for (int64_t bytes = 0; bytes < 3'000'000; bytes += 10'007) {
    ASSERT_TRUE(cache.resize(bytes).ok());
    EXPECT_LE(account_->allocated_bytes(), bytes);
    EXPECT_GE(RowCache::bytes_for(kRowBytes, cache.capacity_rows() + 1), bytes - 200'000);
  }
  ASSERT_TRUE(cache.resize(RowCache::bytes_for(kRowBytes, 1000)).ok());
  EXPECT_GE(cache.capacity_rows(), 1000);
  ASSERT_TRUE(cache.resize(0).ok());
  EXPECT_EQ(account_->allocated_bytes(), 0);
}

// What is asked for again and again stays while rows that are asked for once pass through.
TEST_F(RowCacheTest, RowsInUseOutliveAScan) {
  RowCache cache(kRowBytes, account_, reader_);
  ASSERT_TRUE(cache.resize(RowCache::bytes_for(kRowBytes, 256)).ok());
  const int64_t used_rows = cache.capacity_rows() / 4;
  Part used;
  Part scanned;
  for (int round = 0; round < 2; ++round) {
    for (int64_t row = 0; row < used_rows; ++row) ask_alone(cache, used, row);
  }
  const int64_t before = reader_.row_count;
  for (int64_t row = 0; row < 40 * cache.capacity_rows(); ++row) {
    ask_alone(cache, scanned, row);
    ask_alone(cache, used, row % used_rows);
  }
  EXPECT_EQ(reader_.row_count - before, 40 * cache.capacity_rows());
}

TEST_F(RowCacheTest, WhatCouldNotBeReadIsNotThere) {
  RowCache cache(kRowBytes, account_, reader_);
  ASSERT_TRUE(cache.resize(RowCache::bytes_for(kRowBytes, 100)).ok());
  Part part;
  ask_alone(cache, part, 1);
  reader_.fails = true;
  cache.begin_group();
  cache.ask(part, 2 * kRowBytes);
  cache.ask(part, 1 * kRowBytes);
  cache.start();
  EXPECT_FALSE(cache.finish().ok());
  reader_.fails = false;
  const int64_t before = reader_.row_count;
  ask_alone(cache, part, 1);
  ask_alone(cache, part, 2);
  EXPECT_EQ(reader_.row_count - before, 1);
}

TEST_F(RowCacheTest, RowsOutsideOfABlockAndWithoutAPlaceAreRefused) {
  RowCache cache(kRowBytes, account_, reader_);
  Part part;
  cache.begin_group();
  EXPECT_DEATH(cache.ask(part, 0), "rows have a place");
  ASSERT_TRUE(cache.resize(RowCache::bytes_for(kRowBytes, 100)).ok());
  EXPECT_DEATH(cache.ask(part, -1), "a place in a block");
  EXPECT_DEATH(cache.ask(part, int64_t{1} << 32), "a place in a block");
}

}  // namespace
}  // namespace kvasir::kv
