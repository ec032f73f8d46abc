// IQ4_NL of GGUF: codes into an uneven table. d = m / -127 for the value m of largest magnitude, q
// the entry v nearest to x (1 / d), half-way the lower one; then the scale that fits these entries
// best where large values count more: f16(sum(w v x) / sum(w v v)), w = x x, one term after the
// other. 18 bytes for 32 values.
#include "kernels/codecs/gguf_block.h"
#include "kernels/codecs/scale.h"
#include "numeric/blocks/iq4_values.h"

namespace kvasir::kernels {
namespace {

using blocks::kIq4Values;

uint8_t nearest_entry(float value) {
  int entry = 0;
  for (int i = 1; i < 16; ++i) entry += value > (kIq4Values[i - 1] + kIq4Values[i]) / 2;
  return static_cast<uint8_t>(entry);
}

void encode_block(const float* values, std::byte* block) {
  const float inverse = inverse_of(signed_largest(values) / -127);
  std::array<uint8_t, kGgufBlockItems> codes;
  float product_sum = 0;
  float square_sum = 0;
  for (int64_t i = 0; i < kGgufBlockItems; ++i) {
    codes[i] = nearest_entry(values[i] * inverse);
    const float entry = kIq4Values[codes[i]];
    const float weight = values[i] * values[i];
    product_sum += weight * entry * values[i];
    square_sum += weight * entry * entry;
  }
  put_f16(block, product_sum / divisor_of(square_sum));
  put_split_nibbles(codes, block + 2);
}

}  // namespace

constinit const Codec kIq4NlCodec =
    sealed_row_codec<GgufBlocks<Dtype::kIq4Nl, encode_block>>(CodecId::kIq4Nl, "iq4_nl");

}  // namespace kvasir::kernels
