// An InstructionSet is a kernel table and what goes with it. This build's are a list; which of them
// the processor runs shows when the program does. All of the list compute the same bits
// (equal_bits_test).
#pragma once

#include <span>
#include <string_view>

#include "kernels/kernels.h"
#include "kernels/peak.h"

namespace kvasir::kernels {

struct InstructionSet {
  const KernelTable& table;               // its name is the set's
  const PeakLoops* peak_loops = nullptr;  // null: nothing bounds its loops
  // Asks the processor and the operating system.
  bool (*is_supported)() = nullptr;
};

// All of this build, slowest first. The first is `portable`, which runs everywhere.
std::span<const InstructionSet> instruction_sets();

// `ref`, the plain loops that the others are tested against, within tolerances. It runs everywhere
// and is none of the list.
const InstructionSet& reference_set();

// The last of the list that this machine runs.
const InstructionSet& best_instruction_set();

// One of the list, or the reference. Null: this build has none of that name.
const InstructionSet* find_instruction_set(std::string_view name);

}  // namespace kvasir::kernels
