// Q8_0 of GGUF: d = amax / 127, q = round(x (1 / d)), halves away from zero. 34 bytes for 32
// values.
#include <algorithm>
#include <cmath>

#include "kernels/codecs/gguf_block.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/scale.h"

namespace kvasir::kernels {
namespace {

void encode_block(const float* values, std::byte* block) {
  const float d = largest_magnitude(values, kGgufBlockItems) / 127;
  const float inverse = inverse_of(d);
  put_f16(block, d);
  for (int64_t i = 0; i < kGgufBlockItems; ++i) {
    const float code = std::clamp(std::round(values[i] * inverse), -127.0f, 127.0f);
    block[2 + i] = static_cast<std::byte>(static_cast<int8_t>(code));
  }
}

}  // namespace

constinit const Codec kQ8_0Codec =
    sealed_row_codec<GgufBlocks<Dtype::kQ8_0, encode_block>>(CodecId::kQ8_0, "q8_0");

}  // namespace kvasir::kernels
