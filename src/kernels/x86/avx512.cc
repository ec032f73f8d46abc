#include "kernels/x86/vec_avx512.h"

#include "base/check.h"
#include "kernels/limits.h"
#include "kernels/tables.h"
#include "kernels/x86/scale_tables.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

#define KVASIR_ISA avx512

// In the order of their dependence.
// clang-format off
#include "kernels/x86/math-inl.h"
#include "kernels/x86/matmul-inl.h"
#include "kernels/x86/decode_row-inl.h"
#include "kernels/x86/attend-inl.h"
#include "kernels/x86/elementwise-inl.h"
#include "kernels/x86/encode_row-inl.h"
#include "kernels/x86/index_query-inl.h"
#include "kernels/x86/index_score_folded-inl.h"
#include "kernels/x86/index_score-inl.h"
#include "kernels/x86/hyper-inl.h"
#include "kernels/x86/peak-inl.h"
#include "kernels/x86/table-inl.h"
// clang-format on

namespace kvasir::kernels {

constinit const KernelTable kAvx512Table = avx512::make_table("avx512");
constinit const PeakLoops kAvx512PeakLoops = avx512::make_peak_loops();

}  // namespace kvasir::kernels
