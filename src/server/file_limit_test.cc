#include "server/file_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kvasir::server {
namespace {

// In a process of its own, since a limit that was lowered stays so.
int connections_under(rlim_t soft, rlim_t hard, int wanted) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit files{.rlim_cur = soft, .rlim_max = hard};
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0) ::_exit(255);
    ::_exit(connections_within_file_limit(wanted));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST(FileLimit, ConnectionsLeaveFilesToTheStore) {
  EXPECT_EQ(connections_under(20, 1000, 200), 200) << "the soft limit is raised";
  EXPECT_EQ(connections_under(20, 300, 200), 150);
  EXPECT_EQ(connections_under(20, 40, 200), 20);
  EXPECT_EQ(connections_under(1000, 1000, 100), 100);
}

}  // namespace
}  // namespace kvasir::server
