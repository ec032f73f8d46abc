#include "kernels/codecs/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

#include "kernels/test_support.h"
#include "kernels/unaligned.h"
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

// As many rows as a block of single tokens has.
constexpr int64_t kBlockRows = 128;

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
  for (int round = 0; round < 800; ++round) {
    RowFormat format{.codec = static_cast<CodecId>(round % kRowFormatCount),
                     .dim = 2 * random.integer(1, 140)};
    format.rope_dim = 2 * random.integer(0, format.dim / 2);
    const bool edgy = round / kRowFormatCount % 2 == 0;
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

TEST(Fp8Codec, RowsDecodeToTheRoundedValues) {
  Random random(2);
  const RowFormat format{.dim = 160, .rope_dim = 60};
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

TEST(Fp4Codec, WritesTheGoldenBytes) {
  const RowFormat format{.codec = CodecId::kFp4, .dim = 128};
  ASSERT_EQ(format.bytes(), 68);
  const std::vector<float> input = read_npy_floats("key_input.npy");
  const std::vector<char> expected = read_npy_data("key_bytes.npy");
  ASSERT_EQ(input.size(), 256u * 128);
  ASSERT_EQ(expected.size(), 256u * 68);
  std::vector<std::byte> key(68);
  for (int i = 0; i < 256; ++i) {
    encode_row(format, input.data() + 128 * i, key.data());
    ASSERT_EQ(std::memcmp(key.data(), expected.data() + 68 * i, 68), 0) << "key " << i;
  }
}

TEST(Fp4Codec, DecodedValuesAreFixedPoints) {
  Random random(3);
  for (const int64_t dim : {2, 16, 32, 48, 128}) {
    const RowFormat format{.codec = CodecId::kFp4, .dim = dim};
    const std::vector<float> source = random.normals(dim);
    std::vector<std::byte> key(format.bytes());
    std::vector<float> decoded(dim);
    std::vector<float> again(dim);
    encode_row(format, source.data(), key.data());
    decode_row(format, key.data(), decoded.data());
    // The rounded largest value may fit a smaller scale, so only the values must stay.
    encode_row(format, decoded.data(), key.data());
    decode_row(format, key.data(), again.data());
    EXPECT_EQ(again, decoded);
  }
}

TEST(PlainCodecs, RowsAreArrays) {
  Random random(4);
  const std::vector<float> source = random.normals(24);
  std::vector<float> decoded(24);
  std::vector<std::byte> bytes(96);
  encode_row({.codec = CodecId::kF32, .dim = 24}, source.data(), bytes.data());
  decode_row({.codec = CodecId::kF32, .dim = 24}, bytes.data(), decoded.data());
  EXPECT_EQ(decoded, source);
  encode_row({.codec = CodecId::kBf16, .dim = 24}, source.data(), bytes.data());
  decode_row({.codec = CodecId::kBf16, .dim = 24}, bytes.data(), decoded.data());
  for (int i = 0; i < 24; ++i) EXPECT_EQ(decoded[i], bf16_decode(bf16_encode(source[i])));
}

TEST(E4m3Codec, RowsAreCodesOfTheNumbersThemselves) {
  const std::vector<float> source = {0.0f, 1.0f, -1.0625f, 1.07f, 447.0f, 1e9f, -1e9f, 1e-9f};
  const std::vector<float> expected = {0.0f, 1.0f, -1.0f, 1.125f, 448.0f, 448.0f, -448.0f, 0.0f};
  const RowFormat format{.codec = CodecId::kE4m3, .dim = 8, .rope_dim = 4};
  ASSERT_EQ(format.bytes(), 8);
  std::vector<std::byte> bytes(8);
  std::vector<float> decoded(8);
  encode_row(format, source.data(), bytes.data());
  decode_row(format, bytes.data(), decoded.data());
  EXPECT_EQ(decoded, expected);
}

TEST_P(RowCodec, ReadsTheScalarCodecsValues) {
  Random random(7);
  for (int round = 0; round < 800; ++round) {
    RowFormat format{.codec = static_cast<CodecId>(round % kRowFormatCount),
                     .dim = 2 * random.integer(1, 140)};
    format.rope_dim = 2 * random.integer(0, format.dim / 2);
    std::vector<std::byte> row(format.bytes());
    encode_row(format, random.normals(format.dim, std::exp(3 * random.normal())).data(),
               row.data());
    Placed<std::byte> placed(row, random.integer(0, 63));
    const std::byte* place = placed.data();
    std::vector<float> expected(format.dim);
    decode_row(format, row.data(), expected.data());
    std::vector<float> decoded(format.dim);
    table().decode_rows(format, &place, 1, decoded.data());
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(decoded, expected));
  }
}

// Twelve values in units of the largest: by the group's scale, then by the nearest code.
TEST(Nvfp4RowCodec, RowsAreCodesByTheScaleOfTheirGroup) {
  const RowFormat format{.codec = CodecId::kNvfp4Row, .dim = 512, .rope_dim = 64};
  EXPECT_EQ(format.bytes(), 384);
  Random random(8);
  std::vector<float> source = random.normals(512);
  // A group that its scale, the number 1, and its codes hold exactly.
  const float unit = 64.0f / (6 * 448);
  const float exact[16] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -.5f, -1, -1.5f, -2, -3, -4, -6, 0};
  for (int i = 0; i < 16; ++i) source[32 + i] = exact[i] * unit;
  std::vector<std::byte> row(384);
  std::vector<float> decoded(512);
  encode_row(format, source.data(), row.data());
  decode_row(format, row.data(), decoded.data());
  for (int i = 0; i < 16; ++i) EXPECT_EQ(decoded[32 + i], source[32 + i]) << i;
  for (int i = 448; i < 512; ++i) EXPECT_EQ(decoded[i], bf16_decode(bf16_encode(source[i])));
  double error = 0;
  for (int i = 0; i < 448; ++i) error += std::pow(decoded[i] - source[i], 2);
  // Normal numbers lose about a tenth.
  EXPECT_NEAR(std::sqrt(error / 448), 0.095, 0.015);
  EXPECT_EQ(row[380], std::byte{0}) << "zeros up to a multiple of 8";
}

TEST(Nvfp4RowCodec, ReachesFromZeroTo64) {
  const RowFormat format{.codec = CodecId::kNvfp4Row, .dim = 48};
  std::vector<float> source(48);
  source[3] = 1000;
  source[16] = 1e-7f;
  std::vector<std::byte> row(format.bytes());
  std::vector<float> decoded(48);
  encode_row(format, source.data(), row.data());
  decode_row(format, row.data(), decoded.data());
  EXPECT_NEAR(decoded[3], 64, 1e-5);
  for (int i = 16; i < 48; ++i) EXPECT_EQ(decoded[i], 0) << i;
}

TEST(KeyCodecs, TakeFewBits) {
  const RowFormat int2{.codec = CodecId::kInt2Keys, .dim = 128};
  const RowFormat sign{.codec = CodecId::kSignKeys, .dim = 128};
  EXPECT_EQ(int2.bytes(), 48);
  EXPECT_EQ(sign.bytes(), 18);
  std::vector<float> source(128);
  for (int i = 0; i < 128; ++i) source[i] = static_cast<float>(i % 4 - 1);
  std::vector<std::byte> key(48);
  std::vector<float> decoded(128);
  // Four values an even step apart are what two bits hold.
  encode_row(int2, source.data(), key.data());
  decode_row(int2, key.data(), decoded.data());
  EXPECT_EQ(decoded, source);
  encode_row(sign, source.data(), key.data());
  decode_row(sign, key.data(), decoded.data());
  for (int i = 0; i < 128; ++i) EXPECT_EQ(decoded[i], source[i] < 0 ? -1.0f : 1.0f);
  EXPECT_EQ(key[0], std::byte{0x11}) << "low bits first";
}

TEST(CodecTable, EveryCodecIsFoundByNameAndId) {
  for (size_t i = 0; i < kCodecCount; ++i) {
    const Codec& codec = codec_of(static_cast<CodecId>(i));
    EXPECT_EQ(find_codec(codec.name), &codec);
    EXPECT_EQ(kBlockRows % codec.group_rows, 0) << codec.name;
  }
  EXPECT_EQ(find_codec("fp5"), nullptr);
}

TEST(CodecTable, RowsOfSeveralVectorsAreTheirVectorsOneBehindTheOther) {
  Random random(5);
  for (size_t i = 0; i < kRowFormatCount; ++i) {
    const Codec& codec = codec_of(static_cast<CodecId>(i));
    const bool has_rope = codec.id == CodecId::kFp8 || codec.id == CodecId::kNvfp4Row;
    const RowShape one{.width = 96, .rope_width = has_rope ? 32 : 0};
    const RowShape three{.width = 96, .rope_width = one.rope_width, .vectors = 3};
    ASSERT_EQ(codec.bytes(three), 3 * codec.bytes(one)) << codec.name;
    const std::vector<float> row = random.normals(3 * 96);
    std::vector<std::byte> whole(static_cast<size_t>(codec.bytes(three)));
    std::vector<std::byte> single(static_cast<size_t>(codec.bytes(one)));
    codec.encode(three, {}, row.data(), whole.data());
    for (int64_t v = 0; v < 3; ++v) {
      codec.encode(one, {}, row.data() + 96 * v, single.data());
      EXPECT_EQ(std::memcmp(whole.data() + v * codec.bytes(one), single.data(), single.size()), 0);
    }
  }
}

// ---- a codec of groups, with side data ----

// Signed bytes of 4 rows together, with one scale for each channel of the group (float32), after
// the channel means that the side data gives were taken out.
constexpr int64_t kGroupRows = 4;

int64_t channels_of(const RowShape& shape) { return shape.vectors * shape.width; }

int64_t group_bytes(const RowShape& shape) { return (4 + kGroupRows) * channels_of(shape); }

float mean_of(SideData side, int64_t channel) {
  return load_unaligned<float>(side.data() + 4 * channel);
}

void encode_group(const RowShape& shape, SideData side, const float* rows, std::byte* group) {
  const int64_t channels = channels_of(shape);
  for (int64_t c = 0; c < channels; ++c) {
    float largest = 0;
    for (int64_t r = 0; r < kGroupRows; ++r) {
      largest = std::max(largest, std::fabs(rows[r * channels + c] - mean_of(side, c)));
    }
    const float scale = std::max(largest, 1e-20f) / 127;
    store_unaligned(group + 4 * c, scale);
    for (int64_t r = 0; r < kGroupRows; ++r) {
      const float code = std::nearbyint((rows[r * channels + c] - mean_of(side, c)) / scale);
      group[4 * channels + r * channels + c] = static_cast<std::byte>(static_cast<int8_t>(code));
    }
  }
}

void decode_group(const RowShape& shape, SideData side, const std::byte* group, int64_t row_begin,
                  int64_t row_end, float* rows) {
  const int64_t channels = channels_of(shape);
  for (int64_t r = row_begin; r < row_end; ++r) {
    for (int64_t c = 0; c < channels; ++c) {
      const auto code = static_cast<int8_t>(group[4 * channels + r * channels + c]);
      rows[(r - row_begin) * channels + c] =
          code * load_unaligned<float>(group + 4 * c) + mean_of(side, c);
    }
  }
}

constexpr Codec kByChannel = {.id = CodecId{},
                              .name = "int8-by-channel",
                              .version = 1,
                              .group_rows = kGroupRows,
                              .is_read_at_once = false,
                              .bytes = group_bytes,
                              .encode = encode_group,
                              .decode = decode_group};

TEST(GroupCodec, CodesRowsTogetherAndGivesBackAnyOfThem) {
  Random random(6);
  const RowShape shape{.width = 24, .vectors = 2};
  const int64_t channels = channels_of(shape);
  // One channel far from zero: what means are for.
  std::vector<float> means(static_cast<size_t>(channels));
  means[7] = 1000;
  const SideData side = std::as_bytes(std::span(means));
  std::vector<float> rows = random.normals(kGroupRows * channels);
  for (int64_t r = 0; r < kGroupRows; ++r) rows[static_cast<size_t>(r * channels + 7)] += 1000;

  std::vector<std::byte> group(static_cast<size_t>(kByChannel.bytes(shape)));
  kByChannel.encode(shape, side, rows.data(), group.data());
  std::vector<float> decoded(rows.size());
  kByChannel.decode(shape, side, group.data(), 0, kGroupRows, decoded.data());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(decoded[i], rows[i], 0.02) << i;
  // A tile of the group has the same bits as the whole.
  std::vector<float> tile(static_cast<size_t>(2 * channels));
  kByChannel.decode(shape, side, group.data(), 1, 3, tile.data());
  EXPECT_TRUE(std::equal(tile.begin(), tile.end(), decoded.begin() + channels));
  // Without its side data the group says something else.
  const std::vector<float> none(static_cast<size_t>(channels));
  kByChannel.decode(shape, std::as_bytes(std::span(none)), group.data(), 0, 1, tile.data());
  EXPECT_LT(std::fabs(tile[7]), 10);
}

}  // namespace
}  // namespace kvasir::kernels
