#include "deepseek4_gguf_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/random.h"
#include "checkpoint_maker_storage.h"
#include "deepseek4_gguf.h"
#include "kernels/weight_matrix.h"
#include "numeric/blocks/block_type.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::testing {
namespace {

using kernels::WeightFormat;

WeightFormat format_of(std::string_view dtype) {
  if (dtype == "F32") return WeightFormat::kF32;
  if (dtype == "F16") return WeightFormat::kF16;
  if (dtype == "BF16") return WeightFormat::kBf16;
  return dtype == "I8" ? WeightFormat::kFp4ScaleE8m0 : WeightFormat::kFp8ScaleE8m0;
}

// The high half of a group stands in the high nibbles.
void append_mxfp4(const float* group, std::vector<std::byte>& data) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(group[i]));
  const uint8_t scale = fp4_grid_scale(largest);
  append(data, scale);
  const auto code = [&](int i) { return fp4_encode(group[i] / ue8m0_decode(scale)); };
  for (int i = 0; i < 16; ++i) append(data, static_cast<uint8_t>(code(i) | code(i + 16) << 4));
}

// Where blocks have their float16 scales, and what makes their numbers small.
struct BlockScale {
  uint32_t type;
  size_t offset;
  uint16_t half;
};
constexpr BlockScale kBlockScales[] = {
    {kGgufQ4_0, 0, 0x1800},                           // 2^-9
    {kGgufQ8_0, 0, 0x0c00},                           // 2^-12
    {kGgufQ2K, 80, 0x1c00},                           // 2^-8
    {kGgufQ2K, 82, 0x1c00},   {kGgufQ4K, 0, 0x0800},  // 2^-13
    {kGgufQ4K, 2, 0x1400},                            // 2^-10
    {kGgufQ6K, 208, 0x0400},                          // 2^-14
    {kGgufIq2Xxs, 0, 0x1400},                         // 2^-10
};

std::vector<std::byte> random_blocks(const BlockType& type, size_t block_count, uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> data(block_count * static_cast<size_t>(type.block_bytes));
  for (std::byte& byte : data) byte = static_cast<std::byte>(random.bits());
  for (size_t block = 0; block < block_count; ++block) {
    std::byte* begin = data.data() + block * static_cast<size_t>(type.block_bytes);
    for (const BlockScale& scale : kBlockScales) {
      if (scale.type == type.gguf_id) std::memcpy(begin + scale.offset, &scale.half, 2);
    }
  }
  return data;
}

uint64_t seed_of(std::string_view name) {
  uint64_t seed = name.size();
  for (const char c : name) seed = mix_bits(seed + static_cast<unsigned char>(c));
  return seed;
}

}  // namespace

// The numbers of a tensor, whose scale, if it has one, is `scale`.
std::vector<float> numbers_of(const TinyTensor& tensor, const TinyTensor* scale) {
  kernels::WeightMatrix matrix{.rows = 1, .cols = tensor.shape.back(), .data = tensor.data.data()};
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) matrix.rows *= tensor.shape[i];
  matrix.format = format_of(tensor.dtype);
  if (matrix.format == WeightFormat::kFp4ScaleE8m0) matrix.cols *= 2;
  if (scale != nullptr) {
    matrix.scales = scale->data.data();
    matrix.scale_cols = scale->shape.back();
  }
  std::vector<float> numbers(static_cast<size_t>(matrix.rows * matrix.cols));
  for (int64_t row = 0; row < matrix.rows; ++row) {
    kernels::decode_weight_row(matrix, row, numbers.data() + row * matrix.cols);
  }
  return numbers;
}

std::vector<std::byte> gguf_data(uint32_t gguf_type, std::span<const float> numbers,
                                 std::string_view name) {
  const std::vector<float> plain(numbers.begin(), numbers.end());
  if (gguf_type == kGgufF32) return encode_plain(plain, WeightFormat::kF32);
  if (gguf_type == kGgufF16) return encode_plain(plain, WeightFormat::kF16);
  if (gguf_type == kGgufBf16) return encode_plain(plain, WeightFormat::kBf16);
  const BlockType& type = *block_type_of(gguf_type);
  KVASIR_CHECK(numbers.size() % static_cast<size_t>(type.block_items) == 0, "whole blocks");
  if (gguf_type != kGgufMxfp4) {
    return random_blocks(type, numbers.size() / static_cast<size_t>(type.block_items),
                         seed_of(name));
  }
  std::vector<std::byte> data;
  for (size_t i = 0; i < numbers.size(); i += 32) append_mxfp4(numbers.data() + i, data);
  return data;
}

std::vector<float> gguf_numbers(uint32_t gguf_type, std::span<const std::byte> data) {
  const BlockType& type = *block_type_of(gguf_type);
  const int64_t blocks = std::ssize(data) / type.block_bytes;
  std::vector<float> numbers(static_cast<size_t>(blocks * type.block_items));
  decode_blocks(type, data.data(), blocks, numbers.data());
  return numbers;
}

}  // namespace kvasir::testing
