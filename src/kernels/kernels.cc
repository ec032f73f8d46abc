#include "kernels/kernels.h"

#include <algorithm>

#include "kernels/codecs/packed.h"
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
  return tile_floats(format.dim) + kAttendTileRows * round_up(format.dim, kLanesMax) +
         (value_dim > 0 ? tile_floats(value_dim) : 0) + query_count * kAttendHeadFloats;
}

// Sums of integers of 16 bits times codes fit into 32 bits: of 4 bits at any width that a tile has,
// of 8 bits at so many channels.
bool can_attend_coded(const CodedRows& keys, const CodedRows& values) {
  constexpr int64_t kByteChannelsMax = 512;
  const auto are = [&](CodecId key_codec, CodecId value_codec) {
    return keys.codec == key_codec && values.codec == value_codec;
  };
  const auto is_block = [](const CodedRows& rows) {
    return rows.row_count == kCodedRows && rows.shape.width % kTileCodeLanes == 0;
  };
  const bool are_bytes =
      are(CodecId::kInt8Token, CodecId::kInt8Token) && keys.shape.width <= kByteChannelsMax;
  return is_block(keys) && is_block(values) &&
         (are_bytes || are(CodecId::kKvarn4Keys, CodecId::kKvarn4Values));
}

// The vectors' loops take what becomes integers of two bytes, and these; the plain ones take
// decoded rows, and scores of one query and its weights besides.
int64_t attend_coded_scratch_floats(int64_t key_width, int64_t value_width) {
  const int64_t depth_max = std::max(kCodedRows, key_width);
  const int64_t in_vectors = kCodedQueries * (depth_max + depth_max / 2);
  return std::max(in_vectors, (kCodedRows + 1) * (key_width + value_width));
}

int64_t index_query_bytes(const RowFormat& format, int64_t head_count) {
  if (format.codec == CodecId::kSignKeys) {
    const int64_t fours = round_up(format.dim, 4) / 4;
    return round_up(head_count, 4 * kLanesMax) * (kSignPatterns * fours + 4);
  }
  const int64_t heads = round_up(head_count, kLanesMax);
  const int64_t dims = round_up(format.dim, kIndexGroupSize);
  return 4 * heads * dims;
}

int64_t index_queries_at_once(int64_t head_count) {
  int64_t padded = kIndexHeadsAtOnce / kIndexQueriesMax;
  while (padded < head_count) padded *= 2;
  return std::max<int64_t>(1, kIndexHeadsAtOnce / padded);
}

}  // namespace kvasir::kernels
