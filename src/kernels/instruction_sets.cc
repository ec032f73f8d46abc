#include "kernels/instruction_sets.h"

#include <algorithm>

#include "kernels/tables.h"

#if defined(__x86_64__)
#include "kernels/x86/detect.h"
#endif

namespace kvasir::kernels {
namespace {

constexpr bool runs_everywhere() { return true; }

constexpr InstructionSet kReference = {.table = kRefTable, .is_supported = runs_everywhere};

constexpr InstructionSet kInstructionSets[] = {
    {.table = kPortableTable, .is_supported = runs_everywhere},
#if defined(__x86_64__)
    {.table = kAvx2Table, .peak_loops = &kAvx2PeakLoops, .is_supported = x86::has_avx2},
    {.table = kAvx512Table, .peak_loops = &kAvx512PeakLoops, .is_supported = x86::has_avx512},
#endif
};

}  // namespace

std::span<const InstructionSet> instruction_sets() { return kInstructionSets; }

const InstructionSet& reference_set() { return kReference; }

const InstructionSet& best_instruction_set() {
  const InstructionSet* best = std::begin(kInstructionSets);
  for (const InstructionSet& set : kInstructionSets) {
    if (set.is_supported()) best = &set;
  }
  return *best;
}

const InstructionSet* find_instruction_set(std::string_view name) {
  if (name == kReference.table.name) return &kReference;
  const auto* found = std::ranges::find_if(
      kInstructionSets, [&](const InstructionSet& set) { return name == set.table.name; });
  return found == std::end(kInstructionSets) ? nullptr : found;
}

}  // namespace kvasir::kernels
