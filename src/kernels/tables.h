// These are the kernel tables of the instruction sets. Callers choose from instruction_sets.h.
#pragma once

#include "kernels/kernels.h"
#include "kernels/peak.h"

namespace kvasir::kernels {

extern const KernelTable kRefTable;
extern const KernelTable kPortableTable;

#if defined(__x86_64__)
extern const KernelTable kAvx2Table;
extern const PeakLoops kAvx2PeakLoops;
extern const KernelTable kAvx2VnniTable;
extern const PeakLoops kAvx2VnniPeakLoops;
extern const KernelTable kAvx2VnniEvexTable;  // the same code in the encoding of AVX-512
extern const PeakLoops kAvx2VnniEvexPeakLoops;
extern const KernelTable kAvx512Table;
extern const PeakLoops kAvx512PeakLoops;
#endif

}  // namespace kvasir::kernels
