// block_matmul computes y = W x where W's rows are blocks that hold their own scales. Included once
// per instruction set.
//
// For one token the blocks of common types are decoded in registers, eight rows at a time. All else
// goes through panels. Either way an output is summed as in dot_block.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// The first block of columns that begin at col_begin.
KVASIR_INLINE const uint8_t* blocks_of_row(const WeightMatrix& weight, int64_t items, int64_t bytes,
                                           int64_t row, int64_t col_begin) {
  const int64_t block = row * (weight.cols / items) + col_begin / items;
  return reinterpret_cast<const uint8_t*>(weight.data) + block * bytes;
}

// ---- panels

void decode_any_blocks(const WeightMatrix& weight, int64_t row, int64_t col_begin, int64_t col_end,
                       float* target) {
  const BlockType& type = *weight.blocks;
  const uint8_t* block = blocks_of_row(weight, type.block_items, type.block_bytes, row, col_begin);
  for (int64_t k = col_begin; k < col_end; k += type.block_items, block += type.block_bytes)
    type.decode(reinterpret_cast<const std::byte*>(block), target + k - col_begin);
}

template <class Type>
void decode_block_cols(const WeightMatrix& weight, int64_t row, int64_t col_begin, int64_t col_end,
                       float* target) {
  const uint8_t* block = blocks_of_row(weight, Type::kItems, Type::kBytes, row, col_begin);
  const int64_t count = (col_end - col_begin) / Type::kItems;
  float scales[1][kScaleFloats];
  load_scales<Type, 1>(block, 0, count, scales);
  const float* run_scale = scales[0];
  for (int64_t b = 0; b < count; ++b, block += Type::kBytes) {
    for (int64_t group = 0; group < Type::kItems / kGroupCols; ++group) {
      GroupVecs numbers;
      decode_group<Type>(block, group, run_scale, numbers);
      for (int64_t i = 0; i < kGroupCols / kLanes; ++i, target += kLanes) store(target, numbers[i]);
      run_scale += kGroupCols / Type::kRunCols * Type::kStep;
    }
  }
}

// ---- one token

constexpr int kBlockRows = kLanes == 16 ? 8 : 4;
// How long before their use bytes are asked for, at least.
constexpr int64_t kAheadBytes = 8192;

// kBlockRows rows times one token, from column k on for at most kDotCols columns. Asks for the same
// columns of later rows meanwhile. (Beyond the matrix a prefetch does nothing.)
template <class Type>
KVASIR_INLINE void add_block_rows(const uint8_t* block, int64_t stride, int64_t block_count,
                                  const float* x, Vec (&sums)[kBlockRows]) {
  constexpr int kForReading = 0;
  constexpr int kIntoSecondLevel = 2;
  const uint8_t* ahead = block + round_up(kAheadBytes, kBlockRows * stride);
  float scales[kBlockRows][kScaleFloats];
  load_scales<Type, kBlockRows>(block, stride, block_count, scales);
  int64_t run = 0;
  for (int64_t b = 0; b < block_count; ++b, block += Type::kBytes) {
    for (int64_t group = 0; group < Type::kItems / kGroupCols; ++group, x += kGroupCols) {
      KVASIR_UNROLL
      for (int r = 0; r < kBlockRows; ++r) {
        __builtin_prefetch(ahead + r * stride, kForReading, kIntoSecondLevel);
        GroupVecs numbers;
        decode_group<Type>(block + r * stride, group, scales[r] + run, numbers);
        KVASIR_UNROLL
        for (int64_t i = 0; i < kGroupCols / kLanes; ++i)
          sums[r] = fma(numbers[i], load(x + i * kLanes), sums[r]);
      }
      run += kGroupCols / Type::kRunCols * Type::kStep;
      ahead += Type::kBytes * kGroupCols / Type::kItems;
    }
  }
}

// Rows [row, row + kBlockRows) times the first token.
template <class Type>
void multiply_block_rows(const MatmulArgs& args, int64_t row) {
  const int64_t cols = args.weight.cols;
  const int64_t stride = cols / Type::kItems * Type::kBytes;
  for (int64_t k = 0; k < cols; k += kDotCols) {
    const uint8_t* block = blocks_of_row(args.weight, Type::kItems, Type::kBytes, row, k);
    Vec sums[kBlockRows];
    KVASIR_UNROLL
    for (int r = 0; r < kBlockRows; ++r) sums[r] = zero();
    add_block_rows<Type>(block, stride, smaller(kDotCols, cols - k) / Type::kItems, args.x + k,
                         sums);
    KVASIR_UNROLL
    for (int r = 0; r < kBlockRows; r += 4) {
      put_four(reduce_add_4(sums[r], sums[r + 1], sums[r + 2], sums[r + 3]), 4, k == 0,
               args.y + row + r);
    }
  }
}

template <class Type>
int64_t multiply_one_token(const MatmulArgs& args, int64_t row, int64_t row_end) {
  for (; row + kBlockRows <= row_end; row += kBlockRows) multiply_block_rows<Type>(args, row);
  return row;
}

// ---- types

struct BlockKernel {
  Dtype dtype;
  DecodeCols decode;
  // Returns the first row that is left. Null: none is done.
  int64_t (*multiply_one_token)(const MatmulArgs& args, int64_t row_begin, int64_t row_end);
};

template <class Type>
constexpr BlockKernel kKernelOf = {Type::kDtype, decode_block_cols<Type>, multiply_one_token<Type>};

constexpr BlockKernel kBlockKernels[] = {
    kKernelOf<Q4_0>,  kKernelOf<Q4_1>,  kKernelOf<Q5_0>, kKernelOf<Q5_1>, kKernelOf<Q8_0>,
    kKernelOf<Q2K>,   kKernelOf<Q3K>,   kKernelOf<Q4K>,  kKernelOf<Q5K>,  kKernelOf<Q6K>,
    kKernelOf<Iq4Nl>, kKernelOf<Iq4Xs>, kKernelOf<Mxfp4>};

KVASIR_INLINE BlockKernel find_block_kernel(Dtype dtype) {
  for (const BlockKernel& kernel : kBlockKernels) {
    if (kernel.dtype == dtype) return kernel;
  }
  return {dtype, decode_any_blocks, nullptr};
}

void block_matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch) {
  const BlockKernel kernel = find_block_kernel(args.weight.blocks->dtype);
  if (args.token_count == 1 && kernel.multiply_one_token != nullptr)
    row_begin = kernel.multiply_one_token(args, row_begin, row_end);
  panel_matmul(args, row_begin, row_end, scratch, kernel.decode);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
