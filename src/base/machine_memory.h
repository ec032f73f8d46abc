// These functions say how much memory this process may come to have. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace kvasir {

// What the machine has, or what the process's control groups may take, if that is less.
int64_t machine_memory_bytes();
// What is free now, or can be made so; no more than machine_memory_bytes().
int64_t available_memory_bytes();

// The least limit of the groups of a process, and of those that they lie in. groups: what
// /proc/PID/cgroup says. root: where the groups are, in practice /sys/fs/cgroup. Without a limit:
// the largest number.
int64_t control_group_bytes(const std::string& groups, const std::string& root);

}  // namespace kvasir
