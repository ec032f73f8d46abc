#include "base/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace kvasir {
namespace {

// "0::/user.slice/x" -> the limit of that group, or of one that it lies in.
int64_t group_limit_bytes() {
  int64_t limit = std::numeric_limits<int64_t>::max();
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    for (std::string group = line.substr(3); !group.empty();
         group.resize(group.find_last_of('/'))) {
      std::ifstream file("/sys/fs/cgroup" + group + "/memory.max");
      int64_t bytes = 0;
      if (file >> bytes) limit = std::min(limit, bytes);
    }
  }
  return limit;
}

}  // namespace

int64_t machine_memory_bytes() {
  const auto pages = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES));
  return std::min(pages * static_cast<int64_t>(sysconf(_SC_PAGESIZE)), group_limit_bytes());
}

}  // namespace kvasir
