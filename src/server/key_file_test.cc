#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "server/guard.h"

namespace kvasir::server {
namespace {

class KeyFile : public ::testing::Test {
 protected:
  KeyFile() { std::ofstream(path_) << "# staff\n\nsixteen-or-more-characters\n"; }
  ~KeyFile() override { ::unlink(path_.c_str()); }

  Result<std::vector<std::string>> read_with(mode_t mode) const {
    EXPECT_EQ(::chmod(path_.c_str(), mode), 0);
    return read_key_file(path_);
  }

  const std::string path_ = ::testing::TempDir() + "kvasir_keys_" + std::to_string(getpid());
};

TEST_F(KeyFile, IsForItsOwner) {
  const auto keys = read_with(0400);
  ASSERT_TRUE(keys.ok()) << keys.error().message();
  EXPECT_EQ(*keys, std::vector<std::string>{"sixteen-or-more-characters"});
  for (const mode_t mode : {0404, 0402, 0420, 0410, 0666})
    EXPECT_FALSE(read_with(mode).ok()) << mode;
}

// The credentials of a systemd unit are so: root's, with an access list for the unit's user, whose
// mask shows as the group's bits.
TEST_F(KeyFile, MayBeReadByTheGroupOfRootAndByNoOther) {
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(read_with(0440).ok(), status.st_gid == 0);
  if (::chown(path_.c_str(), static_cast<uid_t>(-1), 1) != 0) return;  // for root alone
  EXPECT_FALSE(read_with(0440).ok());
}

}  // namespace
}  // namespace kvasir::server
