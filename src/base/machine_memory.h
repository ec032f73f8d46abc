// machine_memory_bytes says how much memory this process may come to have. Any thread.
#pragma once

#include <cstdint>

namespace kvasir {

// What the machine has, or what the process's control group (version 2) may take, if that is less.
int64_t machine_memory_bytes();

}  // namespace kvasir
