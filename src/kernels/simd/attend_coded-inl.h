// attend_coded: attention over a block of coded keys and values, multiplied as they lie. Included
// once per instruction set.
//
// What the codes are of says a block (KvarnBlock, Int8Block); its codes are read once for
// kCodedQueries queries.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// A CodedPart computes kQueries queries of a call, one step after the other.
template <class Block, int kQueries>
struct CodedPart {
  const AttendCodedArgs& args;
  Block& block;
  int64_t first;  // query of the call
  float* values;  // [kQueries, integers.stride], what becomes integers next
  TileIntegers<kQueries> integers;
  float offsets[kCodedQueries];

  // Queries times what channels have -> integers and offsets.
  KVASIR_INLINE void take_queries() {
    const int64_t width = block.key_width;
    Vec largest[kQueries];
    Vec sums[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) largest[q] = sums[q] = zero();
    for (int64_t c = 0; c < width; c += kLanes) {
      const auto channels = block.channels(c);
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q) {
        const Vec query = load(args.q + (first + q) * width + c);
        const Vec scaled = channels.scaled(query);
        store(values + q * integers.stride + c, scaled);
        largest[q] = max(largest[q], abs(scaled));
        sums[q] = channels.add_offset(query, sums[q]);
      }
    }
    float tops[kCodedQueries];
    reduce_max_each(largest, tops);
    reduce_add_each(sums, offsets);
    round_to_integers(values, width, tops, integers);
  }

  // -> values: scores as powers of two.
  KVASIR_INLINE void score() {
    const float scale = args.soft_cap == 0 ? args.scale * kLog2E : args.scale / args.soft_cap;
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      integers.step[q] *= scale;
      offsets[q] *= scale;
    }
    block.dot_keys(integers, offsets, values, integers.stride);
    if (args.soft_cap == 0) return;
    for (int q = 0; q < kQueries; ++q) {
      float* const scores = values + q * integers.stride;
      for (int64_t t = 0; t < kCodedRows; t += kLanes)
        store(scores + t, broadcast(args.soft_cap * kLog2E) * tanh(load(scores + t)));
    }
  }

  // Scores -> weights relative to the largest; these times what tokens have -> integers and
  // offsets.
  KVASIR_INLINE void weigh() {
    float maxima[kCodedQueries];
    find_maxima(maxima);
    Vec sums[kQueries];
    Vec offset[kQueries];
    Vec largest[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) sums[q] = offset[q] = largest[q] = zero();
    for (int64_t t = 0; t < kCodedRows; t += kLanes) {
      block.fetch_ahead();
      const auto tokens = block.tokens(t);
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q) {
        float* const place = values + q * integers.stride + t;
        const Vec weight = exp2_below_zero(load(place) - broadcast(maxima[q]));
        const Vec scaled = tokens.scaled(weight);
        sums[q] = sums[q] + weight;
        offset[q] = tokens.add_offset(weight, offset[q]);
        largest[q] = max(largest[q], scaled);
        store(place, scaled);
      }
    }
    float totals[kCodedQueries];
    float tops[kCodedQueries];
    reduce_max_each(largest, tops);
    reduce_add_each(sums, totals);
    reduce_add_each(offset, offsets);
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      args.maxima[first + q] = maxima[q] * kLn2;
      args.sums[first + q] = totals[q];
    }
    round_to_integers(values, kCodedRows, tops, integers);
  }

  KVASIR_INLINE void find_maxima(float (&maxima)[kCodedQueries]) const {
    Vec largest[kQueries];
    KVASIR_UNROLL
    for (int q = 0; q < kQueries; ++q) largest[q] = broadcast(-__builtin_inff());
    for (int64_t t = 0; t < kCodedRows; t += kLanes) {
      KVASIR_UNROLL
      for (int q = 0; q < kQueries; ++q)
        largest[q] = max(largest[q], load(values + q * integers.stride + t));
    }
    reduce_max_each(largest, maxima);
  }

  KVASIR_INLINE void add_values() {
    block.sum_values(integers, offsets, args.out + first * block.value_width);
  }
};

template <class Block, int kQueries>
void attend_queries(const AttendCodedArgs& args, Block& block, int64_t first) {
  const int64_t width = block.key_width;
  const int64_t stride = width < kCodedRows ? kCodedRows : width;
  auto* halves = reinterpret_cast<uint8_t*>(args.scratch + kCodedQueries * stride);
  CodedPart<Block, kQueries> part = {.args = args,
                                     .block = block,
                                     .first = first,
                                     .values = args.scratch,
                                     .integers = {.halves = halves, .stride = stride}};
  part.take_queries();
  part.score();
  part.weigh();
  part.add_values();
}

template <class Block>
void attend_block(const AttendCodedArgs& args) {
  constexpr decltype(&attend_queries<Block, 1>) kAttendQueries[kCodedQueries] = {
      attend_queries<Block, 1>, attend_queries<Block, 2>, attend_queries<Block, 3>,
      attend_queries<Block, 4>};
  Block block(args);
  for (int64_t q = 0; q < args.query_count; q += kCodedQueries)
    kAttendQueries[smaller(kCodedQueries, args.query_count - q) - 1](args, block, q);
}

void attend_coded(const AttendCodedArgs& args) {
  if (args.keys.codec == CodecId::kInt8Token) return attend_block<Int8Block>(args);
  attend_block<KvarnBlock>(args);
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
