#include "base/little_endian.h"
#include "numeric/bf16.h"
#include "numeric/blocks/decoders.h"
#include "numeric/f16.h"

namespace kvasir::blocks {

void decode_f32(const std::byte* block, float* out) { *out = load_little_endian<float>(block); }

void decode_f16(const std::byte* block, float* out) { *out = f16_at(block); }

void decode_bf16(const std::byte* block, float* out) {
  *out = bf16_decode(load_little_endian<uint16_t>(block));
}

}  // namespace kvasir::blocks
