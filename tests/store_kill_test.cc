// A real writer killed at random times, and a real device that fills up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "sanitized.h"
#include "store/block_store.h"
#include "store_driver.h"
#include "temp_directory.h"

namespace kvasir::store {
namespace {

using testing::put;
using testing::read;
using testing::ReadOutcome;
using testing::TestRecord;

class KilledWriter : public ::testing::Test {
 protected:
  BlockStoreOptions options(const std::string& directory) const {
    return {.directory = directory,
            .budget_bytes = int64_t{1} << 30,
            .min_free_bytes = 0,
            .segment_bytes_max = int64_t{1} << 20};
  }

  std::unique_ptr<BlockStore> open(const std::string& directory) const {
    auto store = BlockStore::open(posix_file_system(), options(directory));
    EXPECT_TRUE(store.ok()) << store.error().message();
    return store.ok() ? std::move(*store) : nullptr;
  }

  testing::TempDirectory root_;
};

// Writes conversations until it is killed, and says what is acknowledged on a pipe.
[[noreturn]] void write_for_ever(BlockStoreOptions options, int64_t conversation, int pipe_end) {
  auto store = BlockStore::open(posix_file_system(), std::move(options));
  if (!store) _exit(2);
  for (;; ++conversation) {
    for (int64_t b = 0; b < 8; ++b) {
      (*store)->hold(testing::key_of(conversation, b));
      for (const Kind kind : {Kind::kBlock, Kind::kState}) {
        const TestRecord record{conversation, b, kind};
        const auto outcome = put(**store, record);
        if (!outcome || *outcome == PutOutcome::kNoRoom) continue;
        if (write(pipe_end, &record, sizeof record) != sizeof record) _exit(3);
      }
      if (b > 0) (*store)->release(testing::key_of(conversation, b - 1));
    }
    (*store)->release(testing::key_of(conversation, 7));
  }
}

int64_t kill_count() {
  if (const char* text = std::getenv("KVASIR_KILLS")) return std::atoll(text);
  return testing::cases(200, 40);
}

TEST_F(KilledWriter, LeavesAStoreThatIsRight) {
  const std::string directory = root_.file("store");
  std::mt19937_64 random(7);
  int64_t acknowledged_count = 0;
  int64_t right = 0;
  int64_t wrong = 0;
  int64_t missing = 0;
  int64_t conversation = 0;
  for (int64_t kill_number = 0; kill_number < kill_count() && !HasFailure(); ++kill_number) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      write_for_ever(options(directory), conversation, ends[1]);
    }
    close(ends[1]);
    usleep(static_cast<useconds_t>(500 + random() % 15'000));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
    std::vector<TestRecord> acknowledged;
    TestRecord record;
    while (::read(ends[0], &record, sizeof record) == sizeof record) acknowledged.push_back(record);
    close(ends[0]);
    acknowledged_count += std::ssize(acknowledged);

    auto store = open(directory);
    ASSERT_TRUE(store);
    for (const TestRecord& one : acknowledged) {
      const ReadOutcome outcome = read(*store, one);
      right += outcome == ReadOutcome::kRight;
      wrong += outcome == ReadOutcome::kWrong;
      missing += outcome == ReadOutcome::kMiss;
      conversation = std::max(conversation, one.conversation + 1);
    }
    // Long campaigns begin anew now and then.
    if (store->size().file_bytes > int64_t{256} << 20) {
      EXPECT_TRUE(store->clear().ok());
    }
  }
  std::printf("%lld kills, %lld records acknowledged, %lld read right, %lld wrong reads\n",
              static_cast<long long>(kill_count()), static_cast<long long>(acknowledged_count),
              static_cast<long long>(right), static_cast<long long>(wrong));
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(missing, 0) << "a kill loses nothing that was acknowledged";
  EXPECT_GT(acknowledged_count, kill_count());
}

TEST_F(KilledWriter, AFullDeviceCostsRecordsOnly) {
  const std::string mounted = root_.file("full");
  ASSERT_EQ(mkdir(mounted.c_str(), 0700), 0);
  if (mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=6m") != 0) {
    GTEST_SKIP() << "mounting a small tmpfs needs root";
  }
  // The guard of free space is out of the way, so that writes really fail.
  BlockStoreOptions wanted = options(mounted + "/store");
  wanted.min_free_bytes = -(int64_t{1} << 40);
  const auto open_store = [&] {
    auto store = BlockStore::open(posix_file_system(), wanted);
    EXPECT_TRUE(store.ok()) << store.error().message();
    return store.ok() ? std::move(*store) : nullptr;
  };
  int64_t failed = 0;
  int64_t wrong = 0;
  int64_t right = 0;
  {
    // A budget beyond the device, and another file that takes the last of it at times.
    auto store = open_store();
    ASSERT_TRUE(store);
    for (int64_t c = 0; c < 60; ++c) {
      const std::string other = mounted + "/other";
      if (c % 3 == 0) {
        const int file = ::open(other.c_str(), O_CREAT | O_RDWR, 0600);
        std::vector<char> filling(int64_t{6} << 20);
        (void)!::write(file, filling.data(), filling.size());
        close(file);
      }
      for (int64_t b = 0; b < 10; ++b) failed += !put(*store, {c, b}).ok();
      failed += !put(*store, {c, 9, Kind::kState}).ok();
      unlink(other.c_str());
      for (int64_t b = 0; b < 10; ++b) {
        const ReadOutcome outcome = read(*store, {c, b});
        wrong += outcome == ReadOutcome::kWrong;
        right += outcome == ReadOutcome::kRight;
      }
    }
  }
  auto store = open_store();
  ASSERT_TRUE(store);
  for (int64_t c = 0; c < 60; ++c) {
    for (int64_t b = 0; b < 10; ++b) wrong += read(*store, {c, b}) == ReadOutcome::kWrong;
  }
  store.reset();
  umount(mounted.c_str());
  std::printf("%lld puts failed for want of space, %lld read right, %lld wrong reads\n",
              static_cast<long long>(failed), static_cast<long long>(right),
              static_cast<long long>(wrong));
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
  EXPECT_GT(failed, 0);
}

}  // namespace
}  // namespace kvasir::store
