// These functions measure, in this process, what the machine can do and how near the kernels come
// to it.
#pragma once

#include <string>
#include <vector>

#include "kernels/instruction_sets.h"
#include "kvasir/engine.h"

namespace kvasir::bench {

struct Measurement {
  std::string name;
  double value = 0;
  std::string unit;
  // The limit that bounds the value, in the same unit; empty and 0 for a limit itself.
  std::string limit_name;
  double limit_value = 0;
  double ratio = 0;  // value / limit_value
};

// The kernels that bound reading a prompt, generating token after token, picking index keys.
// kNone: the limits alone.
enum class KernelGroup { kNone, kPrefill, kDecode, kIndex };

struct LimitOptions {
  KernelGroup group = KernelGroup::kNone;
  const kernels::InstructionSet* instruction_set = &kernels::best_instruction_set();
  int thread_count = 1;
  // For each measurement, which is the best of the repetitions that fit.
  double seconds_min = 0.3;
};

// Returns the instruction set an engine computes with.
const kernels::InstructionSet& instruction_set_of(const Engine& engine);

// Returns the limits first, then the group's kernels; nothing where only the plain loops run.
// REQUIRES: this machine runs the instruction set. Takes about 1 GiB of memory.
std::vector<Measurement> measure_kernel_limits(const LimitOptions& options);

// Returns what all threads together read from memory, the first limit of these. 0: plain loops.
double memory_read_bytes_per_second(const LimitOptions& options);

}  // namespace kvasir::bench
