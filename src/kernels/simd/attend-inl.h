// attend computes the attention of one token over encoded rows. Included once per instruction set.
//
// It goes through the rows in tiles of kAttendTileRows, in list order. For each tile it decodes the
// rows, scores all heads, then adds the weighted rows. The softmax is kept online: at each tile a
// head's sums are rescaled to its new maximum. The running maximum and sum begin as the sink.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// AttendScratch cuts up the scratch of a call. Its arrays are indexed by the head's place in the
// call.
struct AttendScratch {
  float* tile;  // [kAttendTileRows, row_stride]
  int64_t row_stride;
  float* scores;     // [heads, kAttendTileRows], then the weights
  float* sums;       // [heads, kLanesMax], the softmax denominator lane by lane
  float* maxima;     // [heads]
  float* rescaling;  // [heads], what the sums before this tile are multiplied by
};

KVASIR_INLINE AttendScratch cut_scratch(const AttendArgs& args, int64_t head_count) {
  AttendScratch s;
  s.row_stride = round_up(args.format.dim, kLanesMax) + kAttendRowPadding;
  s.tile = args.scratch;
  s.scores = s.tile + kAttendTileRows * s.row_stride;
  s.sums = s.scores + head_count * kAttendTileRows;
  s.maxima = s.sums + head_count * kLanesMax;
  s.rescaling = s.maxima + head_count;
  return s;
}

constexpr int64_t kTileVecs = kAttendTileRows / kLanes;

// One head's scores of the tile, scaled; minus infinity beyond row_count.
KVASIR_INLINE void load_scores(const float* scores, float scale, int64_t row_count,
                               Vec (&values)[kTileVecs]) {
  KVASIR_UNROLL
  for (int64_t i = 0; i < kTileVecs; ++i) {
    const int64_t left = row_count - i * kLanes;
    const Mask mask = first_lanes(left < 0 ? 0 : smaller(left, kLanes));
    values[i] =
        select(load(scores + i * kLanes) * broadcast(scale), mask, broadcast(-__builtin_inff()));
  }
}

// Moves every head's maximum up to this tile's and notes what that does to its sums.
KVASIR_INLINE void raise_maxima(float scale, int64_t row_count, int64_t head_count,
                                const AttendScratch& s) {
  for (int64_t h = 0; h < head_count; ++h) {
    Vec values[kTileVecs];
    load_scores(s.scores + h * kAttendTileRows, scale, row_count, values);
    Vec tile_max = values[0];
    for (int64_t i = 1; i < kTileVecs; ++i) tile_max = max(tile_max, values[i]);
    const float value = reduce_max(tile_max);
    s.rescaling[h] = value > s.maxima[h] ? value : s.maxima[h];
  }
  for_each_vec(head_count, [&](int64_t h, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec new_max = load(s.rescaling + h, mask);
    store(s.rescaling + h, exp(load(s.maxima + h, mask) - new_max), mask);
    store(s.maxima + h, new_max, mask);
  });
}

// Turns the scores into weights relative to the maxima, zero beyond row_count, and sums them.
KVASIR_INLINE void weigh_scores(float scale, int64_t row_count, int64_t head_count,
                                const AttendScratch& s) {
  for (int64_t h = 0; h < head_count; ++h) {
    float* scores = s.scores + h * kAttendTileRows;
    float* sums = s.sums + h * kLanesMax;
    Vec values[kTileVecs];
    load_scores(scores, scale, row_count, values);
    Vec sum = load(sums) * broadcast(s.rescaling[h]);
    KVASIR_UNROLL
    for (int64_t i = 0; i < kTileVecs; ++i) {
      const Vec weight = exp(values[i] - broadcast(s.maxima[h]));
      store(scores + i * kLanes, weight);
      sum = sum + weight;
    }
    store(sums, sum);
  }
}

// out[h, column ..] of kHeads heads and kVecs vectors of columns: rescaled, then rows added in
// order. The mask is the last vector's.
template <int kHeads, int kVecs, class AnyMask>
void add_weighted_rows(const AttendScratch& s, int64_t row_count, int64_t head, int64_t column,
                       float* out, int64_t dim, AnyMask mask) {
  Vec sums[kHeads][kVecs];
  KVASIR_UNROLL
  for (int h = 0; h < kHeads; ++h) {
    const Vec rescaling = broadcast(s.rescaling[head + h]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const float* p = out + h * dim + column + v * kLanes;
      sums[h][v] = (v + 1 == kVecs ? load(p, mask) : load(p)) * rescaling;
    }
  }
  const float* weights = s.scores + head * kAttendTileRows;
  const float* row = s.tile + column;
  for (int64_t j = 0; j < row_count; ++j, row += s.row_stride) {
    Vec weight[kHeads];
    KVASIR_UNROLL
    for (int h = 0; h < kHeads; ++h) weight[h] = broadcast(weights[h * kAttendTileRows + j]);
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const Vec values = load(row + v * kLanes);
      KVASIR_UNROLL
      for (int h = 0; h < kHeads; ++h) sums[h][v] = fma(weight[h], values, sums[h][v]);
    }
  }
  KVASIR_UNROLL
  for (int h = 0; h < kHeads; ++h) {
    KVASIR_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      float* p = out + h * dim + column + v * kLanes;
      v + 1 == kVecs ? store(p, sums[h][v], mask) : store(p, sums[h][v]);
    }
  }
}

constexpr int kValueHeads = kLanes == 16 ? 6 : 3;
constexpr int kValueVecs = 4;

template <int kVecs, class AnyMask>
KVASIR_INLINE void add_columns(const AttendArgs& args, const AttendScratch& s, int64_t row_count,
                               int64_t head_begin, int64_t head_count, int64_t column,
                               AnyMask mask) {
  const int64_t dim = args.format.dim;
  float* out = args.out + head_begin * dim;
  int64_t h = 0;
  for (; h + kValueHeads <= head_count; h += kValueHeads)
    add_weighted_rows<kValueHeads, kVecs>(s, row_count, h, column, out + h * dim, dim, mask);
  for (; h + 2 <= head_count; h += 2)
    add_weighted_rows<2, kVecs>(s, row_count, h, column, out + h * dim, dim, mask);
  if (h < head_count)
    add_weighted_rows<1, kVecs>(s, row_count, h, column, out + h * dim, dim, mask);
}

KVASIR_INLINE void attend_tile(const AttendArgs& args, const AttendScratch& s, int64_t row_begin,
                               int64_t head_begin, int64_t head_count) {
  const int64_t dim = args.format.dim;
  const int64_t row_count = smaller(kAttendTileRows, args.row_count - row_begin);
  const int64_t row_bytes = args.format.bytes();
  const DecodeRow decode = kDecoders[static_cast<int>(args.format.codec)];
  for (int64_t j = 0; j < row_count; ++j) {
    const int64_t ahead = row_begin + kAttendTileRows + j;
    if (ahead < args.row_count) fetch_ahead(args.rows[ahead], row_bytes);
    const auto* row = reinterpret_cast<const uint8_t*>(args.rows[row_begin + j]);
    decode(args.format, row, s.tile + j * s.row_stride);
  }
  dot_rows(s.tile, s.row_stride, row_count, args.q + head_begin * dim, dim, head_count, dim,
           s.scores, kAttendTileRows);
  raise_maxima(args.scale, row_count, head_count, s);
  weigh_scores(args.scale, row_count, head_count, s);
  int64_t column = 0;
  for (; column + kValueVecs * kLanes <= dim; column += kValueVecs * kLanes)
    add_columns<kValueVecs>(args, s, row_count, head_begin, head_count, column, AllLanes());
  for (; column < dim; column += kLanes) {
    const Mask mask = first_lanes(smaller(kLanes, dim - column));
    add_columns<1>(args, s, row_count, head_begin, head_count, column, mask);
  }
}

// The running sums begin as the sink alone: maximum sinks[h], denominator exp(0) in lane 0.
KVASIR_INLINE void begin_heads(const AttendArgs& args, const AttendScratch& s, int64_t head_begin,
                               int64_t head_count) {
  const int64_t dim = args.format.dim;
  // The last vectors of a padded row are read but never written by decoding.
  for (int64_t j = 0; j < kAttendTileRows; ++j) {
    float* padding = s.tile + j * s.row_stride + dim;
    for (int64_t i = dim; i < round_up(dim, kLanesMax); ++i) *padding++ = 0;
  }
  for (int64_t h = 0; h < head_count; ++h) {
    s.maxima[h] = args.sinks[head_begin + h];
    store(s.sums + h * kLanesMax, zero());
    s.sums[h * kLanesMax] = 1;
    float* out = args.out + (head_begin + h) * dim;
    for_each_vec(dim,
                 [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE { store(out + i, zero(), mask); });
  }
}

void attend(const AttendArgs& args, int64_t head_begin, int64_t head_end) {
  const int64_t head_count = head_end - head_begin;
  const int64_t dim = args.format.dim;
  const AttendScratch s = cut_scratch(args, head_count);
  begin_heads(args, s, head_begin, head_count);
  for (int64_t row = 0; row < args.row_count; row += kAttendTileRows)
    attend_tile(args, s, row, head_begin, head_count);
  for (int64_t h = 0; h < head_count; ++h) {
    const Vec factor = broadcast(1.0f / reduce_add(load(s.sums + h * kLanesMax)));
    float* out = args.out + (head_begin + h) * dim;
    for_each_vec(dim, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
      store(out + i, load(out + i, mask) * factor, mask);
    });
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
