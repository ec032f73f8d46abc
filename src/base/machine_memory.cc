#include "base/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

namespace kvasir {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// "max", and no file, are no limit.
int64_t limit_in(const std::string& path) {
  std::ifstream file(path);
  int64_t bytes = 0;
  return file >> bytes ? bytes : kNoLimit;
}

// Of /a/b those of /a/b, of /a and of the root: that of a container is its own group.
int64_t least_limit(const std::string& root, std::string group, const std::string& file) {
  int64_t least = kNoLimit;
  while (true) {
    least = std::min(least, limit_in(root + group + "/" + file));
    if (group.empty()) return least;
    group.resize(group.find_last_of('/'));
  }
}

// Whether "cpu,memory" names memory.
bool has_memory(const std::string& controllers) {
  return ("," + controllers + ",").find(",memory,") != std::string::npos;
}

}  // namespace

// Lines are "0::/a/b" in version 2, "4:memory:/a/b" in version 1.
int64_t control_group_bytes(const std::string& groups, const std::string& root) {
  int64_t least = kNoLimit;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const size_t controllers = line.find(':');
    const size_t group =
        controllers == std::string::npos ? controllers : line.find(":/", controllers + 1);
    if (group == std::string::npos) continue;
    const std::string names = line.substr(controllers + 1, group - controllers - 1);
    const std::string path = line.substr(group + 1);
    if (names.empty()) least = std::min(least, least_limit(root, path, "memory.max"));
    if (has_memory(names)) {
      least = std::min(least, least_limit(root + "/memory", path, "memory.limit_in_bytes"));
    }
  }
  return least;
}

int64_t machine_memory_bytes() {
  const auto pages = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES));
  std::ifstream file("/proc/self/cgroup");
  const std::string groups{std::istreambuf_iterator<char>(file), {}};
  return std::min(pages * static_cast<int64_t>(sysconf(_SC_PAGESIZE)),
                  control_group_bytes(groups, "/sys/fs/cgroup"));
}

int64_t available_memory_bytes() {
  std::ifstream memory("/proc/meminfo");
  int64_t kibibytes = 0;
  for (std::string word; memory >> word;) {
    if (word == "MemAvailable:" && memory >> kibibytes) break;
  }
  return std::min(kibibytes * 1024, machine_memory_bytes());
}

}  // namespace kvasir
