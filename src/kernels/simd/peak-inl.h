// These are the loops of kernels/peak.h. Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

int64_t multiply_add_floats(int64_t rounds, float* sink) {
  Vec sums[kPeakChains];
  KVASIR_UNROLL
  for (Vec& chain : sums) forget(chain = zero());
  const Vec a = broadcast(*sink);
  const Vec b = broadcast(*sink + 1);
  for (int64_t round = 0; round < rounds; ++round) {
    KVASIR_UNROLL
    for (int i = 0; i < kPeakChains; ++i) sums[i] = fma(a, b, sums[i]);
  }
  Vec total = zero();
  for (const Vec& sum : sums) total = total + sum;
  *sink = reduce_add(total);
  return rounds * kPeakChains * kLanes;
}

int64_t multiply_add_bytes(int64_t rounds, float* sink) {
  const uint8_t offsets[4 * kLanes] = {};
  ByteSum sums[kPeakChains];
  KVASIR_UNROLL
  for (ByteSum& chain : sums) forget(chain = begin_byte_sum(offsets));
  const VecInt bytes = to_int(broadcast(*sink));
  const auto quad = static_cast<uint32_t>(*sink);
  for (int64_t round = 0; round < rounds; ++round) {
    KVASIR_UNROLL
    for (int i = 0; i < kPeakChains; ++i) sums[i] = add_byte_products(sums[i], quad, bytes);
  }
  Vec total = zero();
  for (const ByteSum& sum : sums) total = total + end_byte_sum(sum, offsets);
  *sink = reduce_add(total);
  return rounds * kPeakChains * kLanes * 4;
}

float sum(const float* data, int64_t size) {
  Vec sums[kPeakChains];
  for (Vec& lane_sums : sums) lane_sums = zero();
  for (int64_t i = 0; i + kPeakChains * kLanes <= size; i += kPeakChains * kLanes) {
    KVASIR_UNROLL
    for (int64_t v = 0; v < kPeakChains; ++v) sums[v] = sums[v] + load(data + i + v * kLanes);
  }
  Vec total = zero();
  for (const Vec& lane_sums : sums) total = total + lane_sums;
  return reduce_add(total);
}

constexpr PeakLoops make_peak_loops() {
  return {.multiply_add_floats = multiply_add_floats,
          .multiply_add_bytes = multiply_add_bytes,
          .sum = sum};
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
