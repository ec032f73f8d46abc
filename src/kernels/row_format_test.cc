#include "kernels/row_format.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "kernels/test_support.h"
#include "numeric/bf16.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

// The bytes after the header of a NumPy file of format version 1.
std::vector<char> read_npy_data(const std::string& name) {
  std::ifstream file(std::string(KVASIR_SOURCE_DIR) + "/tests/golden/codec/" + name,
                     std::ios::binary);
  std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  if (text.size() < 10) return {};
  const int64_t header_bytes =
      10 + static_cast<uint8_t>(text[8]) + 256 * static_cast<uint8_t>(text[9]);
  return {text.begin() + header_bytes, text.end()};
}

std::vector<float> read_npy_floats(const std::string& name) {
  const std::vector<char> bytes = read_npy_data(name);
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), 4 * values.size());
  return values;
}

// Values at, between and around the grid's points, groups of zeros, tiny and huge groups.
std::vector<float> edge_values(Random& random, int64_t size) {
  std::vector<float> values(size);
  int exponent = 0;
  for (int64_t i = 0; i < size; ++i) {
    if (i % 32 == 0) exponent = static_cast<int>(random.integer(-140, 120));
    switch (random.integer(0, 4)) {
      case 0:
        values[i] = random.bits() % 2 == 0 ? 0.0f : -0.0f;
        break;
      case 1:
        values[i] = std::ldexp(static_cast<float>(random.integer(-512, 512)), exponent - 9);
        break;
      case 2:
        values[i] = std::nextafter(
            std::ldexp(static_cast<float>(random.integer(-64, 64)), exponent), random.normal());
        break;
      default:
        values[i] = std::ldexp(random.normal(), exponent - static_cast<int>(random.integer(0, 20)));
    }
  }
  return values;
}

class RowCodec : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(RowCodec);

TEST_P(RowCodec, WritesTheGoldenBytes) {
  const RowFormat format{.dim = 512, .rope_dim = 64};
  ASSERT_EQ(format.bytes(), 584);
  const std::vector<float> input = read_npy_floats("row_input.npy");
  const std::vector<char> expected = read_npy_data("row_bytes.npy");
  ASSERT_EQ(input.size(), 256u * 512);
  ASSERT_EQ(expected.size(), 256u * 584);
  std::vector<std::byte> row(584);
  for (int i = 0; i < 256; ++i) {
    table().encode_row(format, input.data() + 512 * i, row.data());
    ASSERT_EQ(std::memcmp(row.data(), expected.data() + 584 * i, 584), 0) << "row " << i;
  }
}

TEST_P(RowCodec, WritesTheScalarCodecsBytes) {
  Random random(1);
  const CachePrecision precisions[] = {CachePrecision::kNative, CachePrecision::kBf16,
                                       CachePrecision::kF32};
  for (int round = 0; round < 600; ++round) {
    RowFormat format{.precision = precisions[round % 3], .dim = 2 * random.integer(1, 140)};
    format.rope_dim = 2 * random.integer(0, format.dim / 2);
    const bool edgy = round % 2 == 0;
    const std::vector<float> source =
        edgy ? edge_values(random, format.dim) : random.normals(format.dim);
    Placed<float> placed(source, random.integer(0, 15));
    std::vector<std::byte> row(format.bytes(), std::byte{0xee});
    std::vector<std::byte> expected(format.bytes(), std::byte{0xdd});
    table().encode_row(format, placed.data(), row.data());
    encode_row(format, source.data(), expected.data());
    ASSERT_EQ(row, expected) << "dim " << format.dim << " rope " << format.rope_dim;
  }
}

TEST(RowFormat, NativeRowsDecodeToTheRoundedValues) {
  Random random(2);
  const RowFormat format{.dim = 160, .rope_dim = 60};
  EXPECT_EQ(format.scale_count(), 2);
  EXPECT_EQ(format.bytes(), 224);
  const std::vector<float> source = random.normals(160);
  std::vector<std::byte> row(format.bytes());
  std::vector<float> decoded(160);
  encode_row(format, source.data(), row.data());
  decode_row(format, row.data(), decoded.data());
  for (int i = 0; i < 160; ++i) {
    if (i >= 100) {
      EXPECT_EQ(decoded[i], bf16_decode(bf16_encode(source[i])));
      continue;
    }
    float amax = 0;
    for (int j = i / 64 * 64; j < std::min(100, i / 64 * 64 + 64); ++j)
      amax = std::max(amax, std::fabs(source[j]));
    const float scale = ue8m0_decode(fp8_grid_scale(amax));
    EXPECT_EQ(decoded[i], fp8_decode(fp8_encode(source[i] / scale)) * scale);
  }
  // Rounded values are fixed points of the codec.
  std::vector<float> again(160);
  encode_row(format, decoded.data(), row.data());
  decode_row(format, row.data(), again.data());
  EXPECT_EQ(again, decoded);
}

TEST(KeyFormat, WritesTheGoldenBytes) {
  const KeyFormat format{.dim = 128};
  ASSERT_EQ(format.bytes(), 68);
  const std::vector<float> input = read_npy_floats("key_input.npy");
  const std::vector<char> expected = read_npy_data("key_bytes.npy");
  ASSERT_EQ(input.size(), 256u * 128);
  ASSERT_EQ(expected.size(), 256u * 68);
  std::vector<std::byte> key(68);
  for (int i = 0; i < 256; ++i) {
    encode_key(format, input.data() + 128 * i, key.data());
    ASSERT_EQ(std::memcmp(key.data(), expected.data() + 68 * i, 68), 0) << "key " << i;
  }
}

TEST(KeyFormat, DecodedValuesAreFixedPointsOfTheCodec) {
  Random random(3);
  for (const int64_t dim : {2, 16, 32, 48, 128}) {
    const KeyFormat format{.dim = dim};
    const std::vector<float> source = random.normals(dim);
    std::vector<std::byte> key(format.bytes());
    std::vector<float> decoded(dim);
    std::vector<float> again(dim);
    encode_key(format, source.data(), key.data());
    decode_key(format, key.data(), decoded.data());
    // The rounded largest value may fit a smaller scale, so only the values must stay.
    encode_key(format, decoded.data(), key.data());
    decode_key(format, key.data(), again.data());
    EXPECT_EQ(again, decoded);
  }
}

TEST(RowFormat, PlainPrecisionsAreArrays) {
  Random random(4);
  const std::vector<float> source = random.normals(24);
  std::vector<float> decoded(24);
  std::vector<std::byte> bytes(96);
  encode_row({.precision = CachePrecision::kF32, .dim = 24}, source.data(), bytes.data());
  decode_row({.precision = CachePrecision::kF32, .dim = 24}, bytes.data(), decoded.data());
  EXPECT_EQ(decoded, source);
  encode_key({.precision = CachePrecision::kBf16, .dim = 24}, source.data(), bytes.data());
  decode_key({.precision = CachePrecision::kBf16, .dim = 24}, bytes.data(), decoded.data());
  for (int i = 0; i < 24; ++i) EXPECT_EQ(decoded[i], bf16_decode(bf16_encode(source[i])));
}

}  // namespace
}  // namespace kvasir::kernels
