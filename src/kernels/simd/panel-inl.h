// panel_matmul computes products of rows that are decoded into scratch and used again and again.
// Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// Columns [col_begin, col_end) of a row to target, padded to a multiple of kLanes. At most kDotCols
// of them, and col_begin is a multiple of that.
using DecodeCols = void (*)(const WeightMatrix& weight, int64_t row, int64_t col_begin,
                            int64_t col_end, float* target);

// Rows that are decoded at once for tokens which pass over them only once or twice: they stay in
// the L1 cache.
constexpr int64_t kSmallPanelRows = 8;

// Rows of so few columns are multiplied with lanes that are rows where there are tokens enough to
// turn them for: sums across lanes would take a good part of the time. Whole vectors of columns
// alone: to what is missing of one dot_panel adds zeros, which makes +0 of -0.
constexpr int64_t kAcrossColsMax = 192;
static_assert(kAcrossColsMax <= kDotCols && 2 * kAcrossRows <= kMatmulPanelRows);

// Whole tiles of the rows from row_begin on. Returns the first row that is left.
int64_t matmul_across(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch,
                      DecodeCols decode) {
  const int64_t cols = args.weight.cols;
  const int64_t stride = round_up(cols, kLanesMax);
  float* across = scratch + kAcrossRows * stride;
  for (; row_begin + kAcrossRows <= row_end; row_begin += kAcrossRows) {
    for (int64_t r = 0; r < kAcrossRows; ++r)
      decode(args.weight, row_begin + r, 0, cols, scratch + r * stride);
    turn_tile(scratch, stride, cols, across);
    dot_across({.across = across,
                .cols = cols,
                .x = args.x,
                .x_stride = args.x_stride,
                .y = args.y + row_begin,
                .y_stride = args.y_stride},
               args.token_count);
  }
  return row_begin;
}

void panel_matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch,
                  DecodeCols decode) {
  const int64_t cols = args.weight.cols;
  const int64_t stride = round_up(smaller(cols, kDotCols), kLanesMax);
  const bool has_many_tokens = args.token_count > 2 * kDotTokens;
  const int64_t panel_rows = has_many_tokens ? kMatmulPanelRows : kSmallPanelRows;
  if (has_many_tokens && cols <= kAcrossColsMax && cols % kLanes == 0)
    row_begin = matmul_across(args, row_begin, row_end, scratch, decode);
  for (int64_t row = row_begin; row < row_end; row += panel_rows) {
    const int64_t row_count = smaller(panel_rows, row_end - row);
    for (int64_t k = 0; k < cols; k += kDotCols) {
      const int64_t k_end = smaller(k + kDotCols, cols);
      for (int64_t r = 0; r < row_count; ++r)
        decode(args.weight, row + r, k, k_end, scratch + r * stride);
      dot_panel(scratch, stride, row_count, args.x + k, args.x_stride, args.token_count, k_end - k,
                k == 0, args.y + row, args.y_stride);
    }
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
