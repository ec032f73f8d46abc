#include "server/listening_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "server/http_test_support.h"

namespace kvasir::server {
namespace {

class UnixSocketFile : public ::testing::Test {
 protected:
  ~UnixSocketFile() override { ::unlink(path_.c_str()); }

  bool exists() const { return ::access(path_.c_str(), F_OK) == 0; }
  Result<ListeningSocket> open() const { return ListeningSocket::open({.unix_path = path_}); }

  const std::string path_ = ::testing::TempDir() + "kvasir_listen_" + std::to_string(getpid());
};

TEST_F(UnixSocketFile, IsForItsUserAloneAndGoesWithItsServer) {
  {
    const auto socket = open();
    ASSERT_TRUE(socket.ok()) << socket.error().message();
    struct stat info;
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_EQ(socket->address(), "unix:" + path_);
  }
  EXPECT_FALSE(exists());
}

TEST_F(UnixSocketFile, OfADeadServerIsReplacedAndOfALiveOneIsNot) {
  std::string kept = path_ + ".kept";
  {
    const auto dead = open();
    ASSERT_EQ(::link(path_.c_str(), kept.c_str()), 0);
  }
  ASSERT_EQ(::rename(kept.c_str(), path_.c_str()), 0);  // as if it had been killed
  const auto live = open();
  ASSERT_TRUE(live.ok()) << live.error().message();
  const auto second = open();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kLocked);
  EXPECT_EQ(second.error().where, path_);
  EXPECT_TRUE(exists());
}

TEST_F(UnixSocketFile, OfAnotherServerStaysWhereItIs) {
  {
    const auto first = open();
    ::unlink(path_.c_str());
    std::ofstream(path_) << "somebody else's";
  }
  EXPECT_TRUE(exists());
}

TEST_F(UnixSocketFile, DoesNotReplaceWhatIsNoSocket) {
  std::ofstream(path_) << "a file";
  const auto socket = open();
  ASSERT_FALSE(socket.ok());
  EXPECT_EQ(socket.error().kind, ErrorKind::kUsage);
  EXPECT_TRUE(exists());
}

TEST(ListeningSocket, SaysWhereAndWhyItCannotListen) {
  const auto taken = ListeningSocket::open({.host = "127.0.0.1"});
  ASSERT_TRUE(taken.ok());
  const std::string address = taken->address();
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  const auto again = ListeningSocket::open({.host = "127.0.0.1", .port = port});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kLocked);
  EXPECT_EQ(again.error().where, address);
  EXPECT_EQ(again.error().found, "Address already in use");
  EXPECT_NE(again.error().remedy, "");

  const std::pair<HttpListener, ErrorKind> wrong[] = {
      {{.host = "localhost"}, ErrorKind::kUsage},
      {{.host = ""}, ErrorKind::kUsage},
      {{.host = "127.0.0.1:80"}, ErrorKind::kUsage},
      {{.host = "192.0.2.1"}, ErrorKind::kUsage},
      {{.unix_path = std::string(200, 'a')}, ErrorKind::kUsage},
      {{.unix_path = "/nowhere/at/all"}, ErrorKind::kNotFound},
  };
  for (const auto& [place, kind] : wrong) {
    const auto socket = ListeningSocket::open(place);
    ASSERT_FALSE(socket.ok()) << place.host << place.unix_path;
    EXPECT_EQ(socket.error().kind, kind) << socket.error().message();
    EXPECT_EQ(socket.error().field, "listeners");
  }
}

}  // namespace
}  // namespace kvasir::server
