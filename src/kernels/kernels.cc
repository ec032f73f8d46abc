#include "kernels/kernels.h"

#include "kernels/limits.h"

namespace kvasir::kernels {
namespace {

int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

int64_t matmul_scratch_floats(int64_t cols) { return kMatmulPanelRows * round_up(cols, kLanesMax); }

int64_t attend_scratch_floats(const RowFormat& format, int64_t value_dim, int64_t query_count) {
  const auto tile_floats = [](int64_t dim) {
    return kAttendTileRows * (round_up(dim, kLanesMax) + kAttendRowPadding);
  };
  return tile_floats(format.dim) + (value_dim > 0 ? tile_floats(value_dim) : 0) +
         query_count * kAttendHeadFloats;
}

int64_t index_query_bytes(const RowFormat& format, int64_t head_count) {
  const int64_t heads = round_up(head_count, kLanesMax);
  const int64_t dims = round_up(format.dim, kIndexGroupSize);
  return 4 * heads * dims;
}

}  // namespace kvasir::kernels
