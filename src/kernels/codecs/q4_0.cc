// Q4_0 and Q5_0 of GGUF: a grid that reaches from the value m of largest magnitude almost to -m.
// d = m / -8 (-16), q = floor(x (1 / d) + 8.5) (16.5), at most 15 (31). 18 (22) bytes for 32
// values.
#include <array>

#include "kernels/codecs/gguf_block.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/scale.h"

namespace kvasir::kernels {
namespace {

template <int kBits>
void encode_block(const float* values, std::byte* block) {
  constexpr float kHalf = 1 << (kBits - 1);
  const float d = signed_largest(values) / -kHalf;
  const float inverse = inverse_of(d);
  std::array<uint8_t, kGgufBlockItems> codes;
  for (int64_t i = 0; i < kGgufBlockItems; ++i) {
    codes[i] = clamped_code(values[i] * inverse + (kHalf + 0.5f), 2 * kHalf - 1);
  }
  put_f16(block, d);
  if (kBits == 5) put_fifth_bits(codes, block + 2);
  put_split_nibbles(codes, block + (kBits == 5 ? 6 : 2));
}

}  // namespace

constinit const Codec kQ4_0Codec =
    sealed_row_codec<GgufBlocks<Dtype::kQ4_0, encode_block<4>>>(CodecId::kQ4_0, "q4_0");
constinit const Codec kQ5_0Codec =
    sealed_row_codec<GgufBlocks<Dtype::kQ5_0, encode_block<5>>>(CodecId::kQ5_0, "q5_0");

}  // namespace kvasir::kernels
