// block_matmul computes y = W x where W's rows are blocks that hold their own scales. Included once
// per instruction set.
//
// For one token the blocks of common types are decoded in registers, kBlockRows rows at a time. All
// else goes through panels. Either way an output is summed as in dot_block.

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
  TakenScales taken[1];
  for (int64_t b = 0; b < count; ++b) take_scales<Type>(block, 0, b, taken);
  load_scales<Type>(block, 0, count, taken, scales);
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

// How long before their use bytes are asked for, at least.
constexpr int64_t kAheadBytes = 8192;

// The product of one token with rows, kBlockRows of them at a time and of these at most kDotCols
// columns: a step.
template <class Type>
class OneToken {
 public:
  OneToken(const MatmulArgs& args, int64_t row_begin)
      : args_(args),
        row_begin_(row_begin),
        stride_(args.weight.cols / Type::kItems * Type::kBytes),
        steps_of_rows_((args.weight.cols + kDotCols - 1) / kDotCols) {}

  // REQUIRES: group_count > 0. Rows [row_begin, row_begin + group_count * kBlockRows).
  void multiply(int64_t group_count) {
    const int64_t step_count = group_count * steps_of_rows_;
    Step next = step_at(0);
    for (int64_t b = 0; b < next.block_count; ++b) take(next, b);
    for (int64_t i = 1; i <= step_count; ++i) {
      const Step step = next;
      next = i < step_count ? step_at(i) : Step{};
      add(step, next);
    }
  }

 private:
  struct Step {
    int64_t row = 0;
    int64_t col = 0;
    const uint8_t* blocks = nullptr;
    int64_t block_count = 0;
  };

  Step step_at(int64_t index) const {
    Step step;
    step.row = row_begin_ + index / steps_of_rows_ * kBlockRows;
    step.col = index % steps_of_rows_ * kDotCols;
    step.blocks = blocks_of_row(args_.weight, Type::kItems, Type::kBytes, step.row, step.col);
    step.block_count = smaller(kDotCols, args_.weight.cols - step.col) / Type::kItems;
    return step;
  }

  KVASIR_INLINE void take(const Step& step, int64_t b) {
    take_scales<Type>(step.blocks, stride_, b, taken_);
  }

  // Takes the scales of the next step meanwhile, and asks for the same columns of later rows.
  // (Beyond the matrix a prefetch does nothing.)
  KVASIR_INLINE void add(const Step& step, const Step& next) {
    constexpr int kForReading = 0;
    constexpr int kIntoSecondLevel = 2;
    const uint8_t* block = step.blocks;
    const uint8_t* ahead = block + round_up(kAheadBytes, kBlockRows * stride_);
    const float* x = args_.x + step.col;
    float scales[kBlockRows][kScaleFloats];
    load_scales<Type>(block, stride_, step.block_count, taken_, scales);
    Vec sums[kBlockRows];
    KVASIR_UNROLL
    for (int r = 0; r < kBlockRows; ++r) sums[r] = zero();
    int64_t run = 0;
    for (int64_t b = 0; b < step.block_count; ++b, block += Type::kBytes) {
      if (b < next.block_count) take(next, b);
      for (int64_t group = 0; group < Type::kItems / kGroupCols; ++group, x += kGroupCols) {
        KVASIR_UNROLL
        for (int r = 0; r < kBlockRows; ++r) {
          __builtin_prefetch(ahead + r * stride_, kForReading, kIntoSecondLevel);
          GroupVecs numbers;
          decode_group<Type>(block + r * stride_, group, scales[r] + run, numbers);
          KVASIR_UNROLL
          for (int64_t i = 0; i < kGroupCols / kLanes; ++i)
            sums[r] = fma(numbers[i], load(x + i * kLanes), sums[r]);
        }
        run += kGroupCols / Type::kRunCols * Type::kStep;
        ahead += Type::kBytes * kGroupCols / Type::kItems;
      }
    }
    for (int64_t b = step.block_count; b < next.block_count; ++b) take(next, b);
    put(step, sums);
  }

  KVASIR_INLINE void put(const Step& step, const Vec (&sums)[kBlockRows]) const {
    KVASIR_UNROLL
    for (int r = 0; r < kBlockRows; r += 4) {
      put_four(reduce_add_4(sums[r], sums[r + 1], sums[r + 2], sums[r + 3]), 4, step.col == 0,
               args_.y + step.row + r);
    }
  }

  const MatmulArgs& args_;
  const int64_t row_begin_;
  const int64_t stride_;
  const int64_t steps_of_rows_;
  TakenScales taken_[kBlockRows];  // of the next step
};

// Returns the first row that is left.
template <class Type>
int64_t multiply_one_token(const MatmulArgs& args, int64_t row_begin, int64_t row_end) {
  const int64_t group_count = (row_end - row_begin) / kBlockRows;
  if (group_count > 0) OneToken<Type>(args, row_begin).multiply(group_count);
  return row_begin + group_count * kBlockRows;
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
