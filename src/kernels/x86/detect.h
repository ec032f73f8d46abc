// These functions ask the processor and the operating system what they can run.
#pragma once

namespace kvasir::kernels::x86 {

bool has_avx2();  // with FMA and F16C
bool has_avx_vnni();
bool has_avx2_vnni();  // has_avx2, and AVX-VNNI or the same instructions of AVX-512
bool has_avx512();     // F, BW, VL, DQ and VNNI, and all of has_avx2

}  // namespace kvasir::kernels::x86
