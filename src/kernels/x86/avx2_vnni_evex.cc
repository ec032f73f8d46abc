#include "kernels/tables.h"
#include "kernels/x86/products_vnni.h"

// Behind the products.
#include "kernels/x86/loops_avx2-inl.h"

namespace kvasir::kernels {

constinit const KernelTable kAvx2VnniEvexTable = avx2::make_table("avx2_vnni");
constinit const PeakLoops kAvx2VnniEvexPeakLoops = avx2::make_peak_loops();

}  // namespace kvasir::kernels
