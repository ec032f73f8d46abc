#include "kernels/tables.h"
#include "kernels/x86/products_avx2.h"

// Behind the products.
#include "kernels/x86/loops_avx2-inl.h"

namespace kvasir::kernels {

constinit const KernelTable kAvx2Table = avx2::make_table("avx2");
constinit const PeakLoops kAvx2PeakLoops = avx2::make_peak_loops();

}  // namespace kvasir::kernels
