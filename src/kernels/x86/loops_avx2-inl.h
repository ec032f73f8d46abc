// These are all loops in the vectors of AVX2. Included once for each way to multiply integers,
// behind the products_*.h that has it.

#include "base/check.h"
#include "kernels/codecs/nvfp4_scale.h"
#include "kernels/codecs/packed.h"
#include "kernels/limits.h"
#include "kernels/panels.h"
#include "kernels/simd/scale_tables.h"
#include "kernels/x86/bytes_avx2.h"
#include "kernels/x86/rows_avx2.h"
#include "numeric/blocks/block_type.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

#define KVASIR_ISA avx2

// In the order of their dependence.
// clang-format off
#include "kernels/simd/math-inl.h"
#include "kernels/simd/dot_across-inl.h"
#include "kernels/simd/panel-inl.h"
#include "kernels/simd/block_types-inl.h"
#include "kernels/simd/block_matmul-inl.h"
#include "kernels/simd/matmul-inl.h"
#include "kernels/simd/packed-inl.h"
#include "kernels/simd/decode_row-inl.h"
#include "kernels/simd/decode_coded-inl.h"
#include "kernels/simd/attend_tile-inl.h"
#include "kernels/simd/attend_in_place-inl.h"
#include "kernels/simd/attend-inl.h"
#include "kernels/simd/attend_integers-inl.h"
#include "kernels/simd/kvarn_block-inl.h"
#include "kernels/simd/int8_block-inl.h"
#include "kernels/simd/attend_coded-inl.h"
#include "kernels/simd/elementwise-inl.h"
#include "kernels/simd/encode_row-inl.h"
#include "kernels/simd/index_query-inl.h"
#include "kernels/simd/index_keys-inl.h"
#include "kernels/simd/index_signs-inl.h"
#include "kernels/simd/index_score_unfolded-inl.h"
#include "kernels/simd/index_score-inl.h"
#include "kernels/simd/index_score_apart-inl.h"
#include "kernels/simd/hyper-inl.h"
#include "kernels/simd/integer_matmul-inl.h"
#include "kernels/simd/peak-inl.h"
#include "kernels/simd/table-inl.h"
// clang-format on
