#include "kernels/x86/vec_avx2.h"

#include "base/check.h"
#include "kernels/limits.h"
#include "kernels/tables.h"
#include "kernels/x86/scale_tables.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

#define KVASIR_ISA avx2

// In the order of their dependence.
// clang-format off
#include "kernels/x86/math-inl.h"
#include "kernels/x86/matmul-inl.h"
#include "kernels/x86/decode_row-inl.h"
#include "kernels/x86/attend-inl.h"
#include "kernels/x86/elementwise-inl.h"
#include "kernels/x86/encode_row-inl.h"
#include "kernels/x86/index_query-inl.h"
#include "kernels/x86/index_score_unfolded-inl.h"
#include "kernels/x86/index_score-inl.h"
#include "kernels/x86/hyper-inl.h"
#include "kernels/x86/peak-inl.h"
#include "kernels/x86/table-inl.h"
// clang-format on

namespace kvasir::kernels {

constinit const KernelTable kAvx2Table = avx2::make_table("avx2");
constinit const PeakLoops kAvx2PeakLoops = avx2::make_peak_loops();

}  // namespace kvasir::kernels
