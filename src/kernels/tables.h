// These are the kernel tables of the instruction sets. Callers use kernel_table().
#pragma once

#include "kernels/kernels.h"
#include "kernels/peak.h"

namespace kvasir::kernels {

extern const KernelTable kRefTable;
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512Table;

extern const PeakLoops kAvx2PeakLoops;
extern const PeakLoops kAvx512PeakLoops;

}  // namespace kvasir::kernels
