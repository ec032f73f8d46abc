#include "kernels/instruction_sets.h"

#include "kernels/tables.h"

#if defined(__x86_64__)
#include "kernels/x86/detect.h"
#endif

namespace kvasir::kernels {
namespace {

constexpr bool runs_everywhere() { return true; }

constexpr InstructionSet kReference = {.table = kRefTable, .is_supported = runs_everywhere};

#if defined(__x86_64__)
// In the encoding that the processor has.
InstructionSet avx2_vnni() {
  const bool has_vex = x86::has_avx_vnni();
  return {.table = has_vex ? kAvx2VnniTable : kAvx2VnniEvexTable,
          .peak_loops = has_vex ? &kAvx2VnniPeakLoops : &kAvx2VnniEvexPeakLoops,
          .is_supported = x86::has_avx2_vnni};
}
#endif

}  // namespace

std::span<const InstructionSet> instruction_sets() {
  static const InstructionSet kInstructionSets[] = {
    {.table = kPortableTable, .is_supported = runs_everywhere},
#if defined(__x86_64__)
    {.table = kAvx2Table, .peak_loops = &kAvx2PeakLoops, .is_supported = x86::has_avx2},
    avx2_vnni(),
    {.table = kAvx512Table, .peak_loops = &kAvx512PeakLoops, .is_supported = x86::has_avx512},
#endif
  };
  return kInstructionSets;
}

const InstructionSet& reference_set() { return kReference; }

const InstructionSet& best_instruction_set() {
  const InstructionSet* best = &instruction_sets().front();
  for (const InstructionSet& set : instruction_sets()) {
    if (set.is_supported()) best = &set;
  }
  return *best;
}

const InstructionSet* find_instruction_set(std::string_view name) {
  if (name == kReference.table.name) return &kReference;
  for (const InstructionSet& set : instruction_sets()) {
    if (name == set.table.name) return &set;
  }
  return nullptr;
}

}  // namespace kvasir::kernels
