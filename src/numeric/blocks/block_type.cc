#include "numeric/blocks/block_type.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "numeric/blocks/decoders.h"

namespace kvasir {
namespace {

// Ids that are missing were taken back, or are of formats that no file holds.
constexpr std::array kTypes = std::to_array<BlockType>({
    {Dtype::kF32, 0, "F32", 1, 4, blocks::decode_f32},
    {Dtype::kF16, 1, "F16", 1, 2, blocks::decode_f16},
    {Dtype::kQ4_0, 2, "Q4_0", 32, 18, blocks::decode_q4_0, &blocks::kQ4_0Coding},
    {Dtype::kQ4_1, 3, "Q4_1", 32, 20, blocks::decode_q4_1, &blocks::kQ4_1Coding},
    {Dtype::kQ5_0, 6, "Q5_0", 32, 22, blocks::decode_q5_0, &blocks::kQ5_0Coding},
    {Dtype::kQ5_1, 7, "Q5_1", 32, 24, blocks::decode_q5_1, &blocks::kQ5_1Coding},
    {Dtype::kQ8_0, 8, "Q8_0", 32, 34, blocks::decode_q8_0, &blocks::kQ8_0Coding},
    {Dtype::kQ2K, 10, "Q2_K", 256, 84, blocks::decode_q2_k, &blocks::kQ2KCoding},
    {Dtype::kQ3K, 11, "Q3_K", 256, 110, blocks::decode_q3_k, &blocks::kQ3KCoding},
    {Dtype::kQ4K, 12, "Q4_K", 256, 144, blocks::decode_q4_k, &blocks::kQ4KCoding},
    {Dtype::kQ5K, 13, "Q5_K", 256, 176, blocks::decode_q5_k, &blocks::kQ5KCoding},
    {Dtype::kQ6K, 14, "Q6_K", 256, 210, blocks::decode_q6_k, &blocks::kQ6KCoding},
    {Dtype::kIq2Xxs, 16, "IQ2_XXS", 256, 66, blocks::decode_iq2_xxs},
    {Dtype::kIq2Xs, 17, "IQ2_XS", 256, 74, blocks::decode_iq2_xs},
    {Dtype::kIq3Xxs, 18, "IQ3_XXS", 256, 98, blocks::decode_iq3_xxs},
    {Dtype::kIq1S, 19, "IQ1_S", 256, 50, blocks::decode_iq1_s},
    {Dtype::kIq4Nl, 20, "IQ4_NL", 32, 18, blocks::decode_iq4_nl, &blocks::kIq4NlCoding},
    {Dtype::kIq3S, 21, "IQ3_S", 256, 110, blocks::decode_iq3_s},
    {Dtype::kIq2S, 22, "IQ2_S", 256, 82, blocks::decode_iq2_s},
    {Dtype::kIq4Xs, 23, "IQ4_XS", 256, 136, blocks::decode_iq4_xs, &blocks::kIq4XsCoding},
    {Dtype::kI8, 24, "I8", 1, 1, nullptr},
    {Dtype::kOther, 25, "I16", 1, 2, nullptr},
    {Dtype::kI32, 26, "I32", 1, 4, nullptr},
    {Dtype::kI64, 27, "I64", 1, 8, nullptr},
    {Dtype::kOther, 28, "F64", 1, 8, nullptr},
    {Dtype::kIq1M, 29, "IQ1_M", 256, 56, blocks::decode_iq1_m},
    {Dtype::kBf16, 30, "BF16", 1, 2, blocks::decode_bf16},
    {Dtype::kTq1_0, 34, "TQ1_0", 256, 54, blocks::decode_tq1_0},
    {Dtype::kTq2_0, 35, "TQ2_0", 256, 66, blocks::decode_tq2_0},
    {Dtype::kMxfp4, 39, "MXFP4", 32, 17, blocks::decode_mxfp4, &blocks::kMxfp4Coding},
    {Dtype::kNvfp4, 40, "NVFP4", 64, 36, blocks::decode_nvfp4},
    {Dtype::kQ1_0, 41, "Q1_0", 128, 18, blocks::decode_q1_0},
    {Dtype::kQ2_0, 42, "Q2_0", 64, 18, blocks::decode_q2_0},
});

template <class Matches>
const BlockType* find(const Matches& matches) {
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(), matches);
  return row == kTypes.end() ? nullptr : row;
}

}  // namespace

std::span<const BlockType> block_types() { return kTypes; }

const BlockType* block_type_of(uint32_t gguf_id) {
  return find([&](const BlockType& row) { return row.gguf_id == gguf_id; });
}

const BlockType* block_type_of(Dtype dtype) {
  if (dtype == Dtype::kOther) return nullptr;
  return find([&](const BlockType& row) { return row.dtype == dtype; });
}

void decode_blocks(const BlockType& type, const std::byte* data, int64_t block_count, float* out) {
  KVASIR_CHECK(type.decode != nullptr, "a type of weights");
  for (int64_t i = 0; i < block_count; ++i) {
    type.decode(data + i * type.block_bytes, out + i * type.block_items);
  }
}

}  // namespace kvasir
