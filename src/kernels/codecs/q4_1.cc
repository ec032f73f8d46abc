// Q4_1 and Q5_1 of GGUF: an even grid from the least to the largest value. d = (max - min) / 15
// (31), q = floor((x - min) (1 / d) + 0.5). 20 (24) bytes for 32 values.
#include <algorithm>
#include <array>

#include "kernels/codecs/gguf_block.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/scale.h"

namespace kvasir::kernels {
namespace {

template <int kBits>
void encode_block(const float* values, std::byte* block) {
  constexpr float kTop = (1 << kBits) - 1;
  const auto [least, largest] = std::minmax_element(values, values + kGgufBlockItems);
  const float d = (*largest - *least) / kTop;
  const float inverse = inverse_of(d);
  std::array<uint8_t, kGgufBlockItems> codes;
  for (int64_t i = 0; i < kGgufBlockItems; ++i) {
    codes[i] = clamped_code((values[i] - *least) * inverse + 0.5f, kTop);
  }
  put_f16(block, d);
  put_f16(block + 2, *least);
  if (kBits == 5) put_fifth_bits(codes, block + 4);
  put_split_nibbles(codes, block + (kBits == 5 ? 8 : 4));
}

}  // namespace

constinit const Codec kQ4_1Codec =
    sealed_row_codec<GgufBlocks<Dtype::kQ4_1, encode_block<4>>>(CodecId::kQ4_1, "q4_1");
constinit const Codec kQ5_1Codec =
    sealed_row_codec<GgufBlocks<Dtype::kQ5_1, encode_block<5>>>(CodecId::kQ5_1, "q5_1");

}  // namespace kvasir::kernels
