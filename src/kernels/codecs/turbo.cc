// TurboQuant with its norm corrected: of a vector only the direction is coded, each component on
// the one codebook of 2, 3 or 4 bits that loses least of normal values (Lloyd-Max). Rows come
// rotated, by random signs and a Hadamard matrix, which makes components nearly normal whatever the
// vector is; whoever reads them turns them back.
//
// n = ||x||, u = x / (n / sqrt(width)), q the entry nearest to u (of two the smaller one; zero has
// the code of the smallest negative), s = f16(n / ||entries||), x' = entry s. First the packed
// codes, then the scale. Norms are lane sums. 34 bytes for 64 values at 4 bits.
#include <algorithm>
#include <cmath>

#include "kernels/codecs/lane_sum.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/scale.h"
#include "kernels/codecs/sealed_row.h"
#include "kernels/codecs/turbo_entries.h"

namespace kvasir::kernels {
namespace {

template <int kBits>
int nearest_code(float value) {
  constexpr auto& entries = kTurboHalf<kBits>;
  constexpr int kHalf = 1 << (kBits - 1);
  const float magnitude = std::fabs(value);
  int entry = 0;
  for (int i = 1; i < kHalf; ++i) entry += magnitude > (entries[i - 1] + entries[i]) / 2;
  return value > 0 ? kHalf + entry : kHalf - 1 - entry;
}

float norm_of(int64_t width, auto component) {
  return std::sqrt(lane_sum(width, [&](int64_t i) { return component(i) * component(i); }));
}

template <int kBits>
struct Turbo {
  static int64_t bytes(int64_t width) { return packed_bytes(kBits, width) + 2; }

  static void encode(const float* row, int64_t width, std::byte* out) {
    std::byte* scale_out = out + packed_bytes(kBits, width);
    std::fill(out, scale_out, std::byte{0});
    const float norm = norm_of(width, [&](int64_t i) { return row[i]; });
    const float divisor = divisor_of(norm / std::sqrt(static_cast<float>(width)));
    for (int64_t i = 0; i < width; ++i) {
      put_code(kBits, width, i, nearest_code<kBits>(row[i] / divisor), out);
    }
    const float coded_norm = norm_of(
        width, [&](int64_t i) { return turbo_entry<kBits>(code_at(kBits, width, i, out)); });
    put_f16(scale_out, norm / coded_norm);
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    const float scale = get_f16(in + packed_bytes(kBits, width));
    for (int64_t i = 0; i < width; ++i) {
      row[i] = turbo_entry<kBits>(code_at(kBits, width, i, in)) * scale;
    }
  }
};

}  // namespace

constinit const Codec kTurbo4Codec = sealed_row_codec<Turbo<4>>(CodecId::kTurbo4, "turbo4");
constinit const Codec kTurbo3Codec = sealed_row_codec<Turbo<3>>(CodecId::kTurbo3, "turbo3");
constinit const Codec kTurbo2Codec = sealed_row_codec<Turbo<2>>(CodecId::kTurbo2, "turbo2");

}  // namespace kvasir::kernels
