#include "server/file_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace kvasir::server {
namespace {

// For the store, the model and whatever else is open; and for clients who are told to go.
constexpr rlim_t kOtherFiles = 256;

}  // namespace

int connections_within_file_limit(int wanted) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  const rlim_t needed = static_cast<rlim_t>(wanted) + kOtherFiles;
  if (files.rlim_cur < needed) {
    rlimit raised = files;
    raised.rlim_cur = std::min(needed, files.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  }
  if (files.rlim_cur >= needed) return wanted;
  // Of a small limit each gets a half.
  const rlim_t others = std::min(kOtherFiles, files.rlim_cur / 2);
  return std::max(1, static_cast<int>(files.rlim_cur - others));
}

}  // namespace kvasir::server
