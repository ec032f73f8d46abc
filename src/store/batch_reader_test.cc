// Batches of reads by io_uring, by threads, and by a ring that refuses at every turn.
#include "store/batch_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <random>

#include "store/file_io.h"
#include "store/record.h"
#include "store/ring_reader.h"
#include "temp_directory.h"

namespace kvasir::store {
namespace {

using testing::TempDirectory;

// Far more reads than fit into a ring, of one to three pages, one of them behind the end.
void check_reader(BatchReader& reader, File& file, const std::vector<std::byte>& contents) {
  std::mt19937 random(3);
  const auto pages = static_cast<int64_t>(contents.size()) / kPageBytes;
  constexpr int64_t kReads = 3000;
  PageBuffer memory(kReads * 3 * kPageBytes);
  std::vector<PageRead> reads(kReads);
  for (int64_t i = 0; i < kReads; ++i) {
    const int64_t count = 1 + static_cast<int64_t>(random() % 3);
    const int64_t page = static_cast<int64_t>(random() % static_cast<uint64_t>(pages - 2));
    reads[static_cast<size_t>(i)] = {
        .file = &file,
        .offset_bytes = page * kPageBytes,
        .out = {memory.data() + i * 3 * kPageBytes, static_cast<size_t>(count * kPageBytes)}};
  }
  reads.back().offset_bytes = pages * kPageBytes;
  for (int repetition = 0; repetition < 3; ++repetition) {
    std::memset(memory.data(), 0, static_cast<size_t>(memory.size()));
    reader.start(reads);
    reader.finish();
    for (size_t i = 0; i + 1 < reads.size(); ++i) {
      ASSERT_EQ(reads[i].error, 0);
      ASSERT_EQ(std::memcmp(reads[i].out.data(), contents.data() + reads[i].offset_bytes,
                            reads[i].out.size()),
                0);
    }
    EXPECT_EQ(reads.back().error, ENODATA);
    reads.back().error = 0;
  }
  reader.start({});
  reader.finish();
}

class BatchReaderTest : public ::testing::Test {
 protected:
  BatchReaderTest() : contents_(200 * kPageBytes) {
    std::mt19937 random(1);
    for (std::byte& byte : contents_) byte = static_cast<std::byte>(random());
    EXPECT_TRUE(files_->open(path_, OpenMode::kCreate).object->write(0, contents_).ok());
    file_ = files_->open(path_, OpenMode::kRead).object;
  }

  const TempDirectory folder_;
  const std::string path_ = folder_.file("file");
  const std::shared_ptr<FileSystem> files_ = posix_file_system();
  std::vector<std::byte> contents_;
  std::unique_ptr<File> file_;
};

TEST_F(BatchReaderTest, EveryKindReadsWhatIsThere) {
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadDirect}) {
    const auto file = files_->open(path_, mode);
    ASSERT_TRUE(file.object);
    for (const int threads : {0, 1, 16})
      check_reader(*thread_reader(threads), *file.object, contents_);
    const auto ring = uring_reader();
    if (ring) check_reader(*ring, *file.object, contents_);
  }
  if (!uring_reader()) GTEST_SKIP() << "no io_uring here; threads were tested";
}

// What a kernel may do, call by call. Calls are counted over all rings of a test.
struct RingScript {
  std::function<int(int call, int queued_count)> taken = [](int, int queued) { return queued; };
  std::function<int(int call)> wait_error = [](int) { return 0; };
  // Bytes of so many, or -errno.
  std::function<int(int call, int bytes)> result = [](int, int bytes) { return bytes; };
  std::function<bool(int call)> opens = [](int) { return true; };
  int submit_calls = 0;
  int wait_calls = 0;
  int read_calls = 0;
  int open_calls = 0;
};

// Reads when it is waited for, as late as a kernel may.
class ScriptedRing : public Ring {
 public:
  explicit ScriptedRing(RingScript& script) : script_(script) {}
  ~ScriptedRing() override { EXPECT_TRUE(taken_.empty()) << "reads in flight were left alone"; }

  bool add(const PageRead& read, size_t done_bytes, uint64_t tag) override {
    if (queued_.size() + taken_.size() == 64) return false;
    queued_.push_back({read, done_bytes, tag});
    return true;
  }
  int submit() override {
    const int taken = script_.taken(script_.submit_calls++, static_cast<int>(queued_.size()));
    for (int i = 0; i < taken; ++i) {
      taken_.push_back(queued_.front());
      queued_.pop_front();
    }
    return taken;
  }
  int wait(Completion& completion) override {
    EXPECT_FALSE(taken_.empty()) << "nothing is in flight";
    const int error = script_.wait_error(script_.wait_calls++);
    if (error != 0) return error;
    const Queued one = taken_.front();
    taken_.pop_front();
    const std::span<std::byte> out = one.read.out.subspan(one.done_bytes);
    const int count = script_.result(script_.read_calls++, static_cast<int>(out.size()));
    completion = {.tag = one.tag, .result = count};
    if (count <= 0) return 0;
    const IoResult read =
        one.read.file->read(one.read.offset_bytes + static_cast<int64_t>(one.done_bytes),
                            out.first(static_cast<size_t>(count)));
    completion.result = static_cast<int>(read.count);
    return 0;
  }

 private:
  struct Queued {
    PageRead read;
    size_t done_bytes = 0;
    uint64_t tag = 0;
  };
  RingScript& script_;
  std::deque<Queued> queued_;
  std::deque<Queued> taken_;
};

class RingReaderTest : public BatchReaderTest {
 protected:
  void check(RingScript script) {
    RingReader reader(std::make_unique<ScriptedRing>(script), [&]() -> std::unique_ptr<Ring> {
      if (!script.opens(script.open_calls++)) return nullptr;
      return std::make_unique<ScriptedRing>(script);
    });
    check_reader(reader, *file_, contents_);
  }
};

TEST_F(RingReaderTest, ReadsThroughARingThatTakesEverything) { check({}); }

TEST_F(RingReaderTest, AKernelThatTakesNothingCostsNoRead) {
  for (const int refusal : {-EAGAIN, -EBUSY, -ENOMEM, -EPERM, -ENOSYS, 0}) {
    check({.taken = [&](int, int) { return refusal; }});
    // After some were taken, and now and then.
    check({.taken = [&](int call, int queued) { return call < 20 ? queued : refusal; }});
    check({.taken = [&](int call, int queued) { return call % 3 == 0 ? queued : refusal; }});
    check({.taken = [&](int call, int) { return call % 50 == 49 ? refusal : 1; }});
  }
}

TEST_F(RingReaderTest, ARingThatRefusedIsReplacedWhereThereIsAnother) {
  check({.taken = [](int call, int queued) { return call == 5 ? -EAGAIN : queued; },
         .opens = [](int) { return false; }});
  check({.taken = [](int call, int) { return call == 0 ? -EAGAIN : 1; },
         .opens = [](int call) { return call > 0; }});
}

TEST_F(RingReaderTest, WaitingGoesOnUntilWhatIsInFlightIsThere) {
  for (const int error : {-EINTR, -EAGAIN, -EBUSY, -EPERM}) {
    check({.wait_error = [&](int call) { return call % 5 == 4 ? error : 0; }});
  }
}

TEST_F(RingReaderTest, WhatTheRingDoesNotReadIsReadPlainly) {
  for (const int error : {-EAGAIN, -EINTR, -EINVAL, -EOPNOTSUPP, -EIO}) {
    check({.result = [&](int call, int bytes) { return call % 4 == 0 ? error : bytes; }});
    check({.result = [&](int, int) { return error; }});
  }
  // And what it reads in parts is read on.
  check({.result = [](int, int bytes) { return (bytes + 1) / 2; }});
}

#if defined(__x86_64__)
// A filter that a program puts around itself after the ring was made, as some sandboxes do.
bool forbid_entering_rings(int error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(code), .filter = code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// True also where there is nothing to see: no ring, or no filter.
bool reads_behind_a_filter(File& file, const std::vector<std::byte>& contents, int error) {
  PageBuffer memory(100 * kPageBytes);
  std::vector<PageRead> reads;
  for (int64_t page = 0; page < 100; ++page) {
    reads.push_back({.file = &file,
                     .offset_bytes = page * kPageBytes,
                     .out = {memory.data() + page * kPageBytes, static_cast<size_t>(kPageBytes)}});
  }
  const auto ring = uring_reader();
  if (!ring) return true;
  // These are on their way already.
  ring->start(reads);
  if (!forbid_entering_rings(error)) return true;
  ring->finish();
  const bool is_right = std::memcmp(memory.data(), contents.data(), memory.size()) == 0;
  check_reader(*ring, file, contents);
  return is_right && !::testing::Test::HasFailure();
}

TEST_F(BatchReaderTest, AKernelThatForbidsItsRingCostsNoRead) {
  for (const int error : {EPERM, EAGAIN, ENOSYS}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      constexpr unsigned kSecondsMax = 60;
      alarm(kSecondsMax);
      _exit(reads_behind_a_filter(*file_, contents_, error) ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}
#endif

}  // namespace
}  // namespace kvasir::store
