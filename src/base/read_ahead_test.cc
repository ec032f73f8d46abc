#include "base/read_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace kvasir {
namespace {

constexpr size_t kPages = 3000;  // more than are looked at in one go

// A mapped file none of whose pages is in memory, where the file system can do that.
class ReadAhead : public ::testing::Test {
 protected:
  ReadAhead() {
    std::string path = ::testing::TempDir() + "read_ahead_XXXXXX";
    const int descriptor = ::mkstemp(path.data());
    const std::vector<char> zeros(size_bytes_, 'x');
    EXPECT_EQ(::write(descriptor, zeros.data(), size_bytes_), static_cast<ssize_t>(size_bytes_));
    EXPECT_EQ(::fsync(descriptor), 0);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    void* address = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    EXPECT_NE(address, MAP_FAILED);
    ::madvise(address, size_bytes_, MADV_RANDOM);  // a page that is touched brings no others
    bytes_ = {static_cast<const std::byte*>(address), size_bytes_};
    ::close(descriptor);
    ::unlink(path.c_str());
  }
  ~ReadAhead() override { ::munmap(const_cast<std::byte*>(bytes_.data()), size_bytes_); }

  void touch(size_t at) const {
    const std::byte byte = *static_cast<const volatile std::byte*>(&bytes_[at]);
    EXPECT_EQ(byte, std::byte{'x'});
  }

  const size_t page_bytes_ = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t size_bytes_ = kPages * page_bytes_;
  std::span<const std::byte> bytes_;
};

TEST_F(ReadAhead, AsksForWhatIsNotThereAlone) {
  touch(10 * page_bytes_);
  const int64_t asked = read_ahead(bytes_.subspan(100, size_bytes_ - 200));
  if (asked == 0) GTEST_SKIP() << "this file system keeps all pages in memory";
  EXPECT_EQ(asked, static_cast<int64_t>(size_bytes_ - page_bytes_));
  for (size_t at = 0; at < size_bytes_; at += page_bytes_) touch(at);
  EXPECT_EQ(read_ahead(bytes_), 0);
}

TEST(ReadAheadOfMemory, HasNothingToDo) {
  const std::vector<std::byte> bytes(100000, std::byte{1});
  EXPECT_EQ(read_ahead(bytes), 0);
  EXPECT_EQ(read_ahead({}), 0);
}

}  // namespace
}  // namespace kvasir
