#include "kernels/kernels.h"

#include <cpuid.h>

#include <algorithm>

#include "base/check.h"
#include "kernels/limits.h"
#include "kernels/tables.h"

namespace kvasir::kernels {
namespace {

// clang 14 does not take "f16c" in __builtin_cpu_supports.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

bool isa_is_supported(Isa isa) {
  switch (isa) {
    case Isa::kRef:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case Isa::kAvx512:
      return isa_is_supported(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
  }
  return false;
}

Isa best_supported_isa() {
  if (isa_is_supported(Isa::kAvx512)) return Isa::kAvx512;
  return isa_is_supported(Isa::kAvx2) ? Isa::kAvx2 : Isa::kRef;
}

const KernelTable& kernel_table(Isa isa) {
  KVASIR_CHECK(isa_is_supported(isa), "this processor lacks the instruction set asked for");
  switch (isa) {
    case Isa::kRef:
      return kRefTable;
    case Isa::kAvx2:
      return kAvx2Table;
    case Isa::kAvx512:
      return kAvx512Table;
  }
  KVASIR_CHECK(false, "no such instruction set");
}

const PeakLoops& peak_loops(Isa isa) {
  KVASIR_CHECK(isa_is_supported(isa) && isa != Isa::kRef, "no such loops on this processor");
  return isa == Isa::kAvx512 ? kAvx512PeakLoops : kAvx2PeakLoops;
}

int64_t matmul_scratch_floats(int64_t cols) { return kMatmulPanelRows * round_up(cols, kLanesMax); }

int64_t attend_scratch_floats(const RowFormat& format, int64_t head_count) {
  const int64_t row_floats = round_up(format.dim, kLanesMax) + kAttendRowPadding;
  return kAttendTileRows * row_floats + head_count * kAttendHeadFloats;
}

int64_t index_query_bytes(const RowFormat& format, int64_t head_count) {
  const int64_t heads = round_up(head_count, kLanesMax);
  const int64_t dims = round_up(format.dim, kIndexGroupSize);
  return 4 * heads * dims;
}

}  // namespace kvasir::kernels
