// Single codecs against others' bytes and against their definitions, computed another way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/packed.h"
#include "kernels/test_support.h"
#include "kernels/unaligned.h"
#include "npy.h"
#include "numeric/blocks/block_type.h"
#include "numeric/f16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

std::string golden(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/codec/" + name;
}

const Codec& codec_named(const std::string& name) {
  const Codec* codec = find_codec(name);
  EXPECT_NE(codec, nullptr) << name;
  return *codec;
}

struct Coded {
  std::vector<std::byte> bytes;
  std::vector<float> values;  // decoded

  float f16_at(int64_t byte) const {
    return f16_decode(load_unaligned<uint16_t>(bytes.data() + byte));
  }
  uint8_t byte_at(int64_t byte) const { return static_cast<uint8_t>(bytes[byte]); }
  std::vector<uint8_t> codes(int bits) const {
    std::vector<uint8_t> all(values.size());
    unpack_codes(bits, bytes.data(), std::ssize(all), all.data());
    return all;
  }
};

Coded code(const Codec& codec, const std::vector<float>& row) {
  const RowShape shape{.width = std::ssize(row)};
  Coded out{.bytes = std::vector<std::byte>(static_cast<size_t>(codec.bytes(shape))),
            .values = std::vector<float>(row.size())};
  codec.encode(shape, {}, row.data(), out.bytes.data());
  codec.decode(shape, {}, out.bytes.data(), 0, 1, out.values.data());
  return out;
}

// 2^low to 2^high.
float power_of_two(Random& random, int64_t low, int64_t high) {
  return std::ldexp(1.0f, static_cast<int>(random.integer(low, high)));
}

// Rows of all widths, spreads and distances from zero within the range of codecs without a scale.
std::vector<std::vector<float>> some_rows(uint32_t seed) {
  Random random(seed);
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < 300; ++i) {
    rows.push_back(random.normals(random.integer(1, 200), power_of_two(random, -5, 3)));
    const float distance = i % 3 == 0 ? random.normal() * 10 : 0;
    for (float& value : rows.back()) value += distance;
  }
  return rows;
}

float largest_magnitude_of(const std::vector<float>& row, int64_t begin, int64_t size) {
  float largest = 0;
  for (int64_t i = begin; i < std::min(begin + size, std::ssize(row)); ++i) {
    largest = std::max(largest, std::fabs(row[i]));
  }
  return largest;
}

// No level is nearer to value than `chosen`, but for the rounding of a division.
void expect_nearest(double value, double chosen, const std::vector<double>& levels) {
  double least = std::numeric_limits<double>::infinity();
  for (const double level : levels) least = std::min(least, std::fabs(value - level));
  EXPECT_LE(std::fabs(value - chosen), least + 1e-6 * std::fabs(value)) << value;
}

std::vector<double> levels_of(float (*decode)(uint8_t code), int code_count) {
  std::vector<double> levels;
  for (int i = 0; i < code_count; ++i) {
    const double level = decode(static_cast<uint8_t>(i));
    if (std::isfinite(level)) levels.push_back(level);
  }
  return levels;
}

std::vector<double> scaled(std::vector<double> levels, double scale) {
  for (double& level : levels) level *= scale;
  return levels;
}

// ---- FP8 ----------------------------------------------------------------------------------------

TEST(E4m3Codecs, TakeTheNearestOfAllCodes) {
  const std::vector<double> levels = levels_of(fp8_decode, 256);
  for (const std::vector<float>& row : some_rows(1)) {
    const Coded by_token = code(codec_named("e4m3-token"), row);
    const Coded by_power = code(codec_named("e4m3-ue8m0"), row);
    const Coded plain = code(codec_named("e4m3-1"), row);
    const float scale = by_token.f16_at(std::ssize(row));
    EXPECT_EQ(scale, f16_decode(f16_encode(largest_magnitude_of(row, 0, std::ssize(row)) / 448)));
    for (int64_t i = 0; i < std::ssize(row); ++i) {
      const double power = std::ldexp(1.0, by_power.byte_at(std::ssize(row) + i / 64) - 127);
      const double largest = largest_magnitude_of(row, i / 64 * 64, 64);
      EXPECT_TRUE(largest <= 448 * power && largest > 224 * power) << largest;
      expect_nearest(row[i], by_token.values[i], scaled(levels, scale));
      expect_nearest(row[i], by_power.values[i], scaled(levels, power));
      expect_nearest(row[i], plain.values[i], levels);
      EXPECT_EQ(by_token.values[i], fp8_decode(by_token.byte_at(i)) * scale);
    }
  }
}

TEST(E5m2Codec, TakesTheNearestOfAllCodes) {
  const std::vector<double> levels = levels_of(e5m2_decode, 256);
  for (const std::vector<float>& row : some_rows(2)) {
    const Coded coded = code(codec_named("e5m2"), row);
    for (size_t i = 0; i < row.size(); ++i) expect_nearest(row[i], coded.values[i], levels);
  }
  const Coded large = code(codec_named("e5m2"), {1e6f, -1e6f, 57345.0f});
  EXPECT_EQ(large.values, (std::vector<float>{57344.0f, -57344.0f, 57344.0f}));
}

// ---- blocks of GGUF -----------------------------------------------------------------------------

struct GgufCodec {
  const char* name;
  Dtype type;
};
constexpr GgufCodec kGgufCodecs[] = {{"q8_0", Dtype::kQ8_0}, {"q5_1", Dtype::kQ5_1},
                                     {"q5_0", Dtype::kQ5_0}, {"q4_1", Dtype::kQ4_1},
                                     {"q4_0", Dtype::kQ4_0}, {"iq4_nl", Dtype::kIq4Nl}};

// The first so many values of decoded blocks.
std::vector<float> decoded_blocks(const BlockType& type, const std::vector<std::byte>& bytes,
                                  int64_t width) {
  const int64_t blocks = std::ssize(bytes) / type.block_bytes;
  std::vector<float> values(static_cast<size_t>(blocks * type.block_items));
  decode_blocks(type, bytes.data(), blocks, values.data());
  values.resize(static_cast<size_t>(width));
  return values;
}

// ggml leaves it to chance which codes an IQ4_NL block has whose scale is 0.
bool has_scale(const std::byte* block) { return load_unaligned<uint16_t>(block) != 0; }

TEST(GgufBlockCodecs, WriteTheBytesOfOthers) {
  constexpr int64_t kWidth = 80;
  const auto rows = testing::read_float_npy(golden("blocks_input.npy"));
  ASSERT_EQ(rows.shape[1], kWidth);
  for (const auto& [name, dtype] : kGgufCodecs) {
    const Codec& codec = codec_named(name);
    const int64_t block_bytes = block_type_of(dtype)->block_bytes;
    const auto bytes = testing::read_byte_npy(golden("blocks_" + std::string(name) + ".npy"));
    const int64_t row_bytes = codec.bytes({.width = kWidth});
    ASSERT_EQ(row_bytes, 3 * block_bytes);
    ASSERT_GE(std::ssize(bytes) / row_bytes, 15) << name;
    int64_t compared = 0;
    for (int64_t r = 0; r < std::ssize(bytes) / row_bytes; ++r) {
      const auto* row = rows.values.data() + r * kWidth;
      const Coded coded = code(codec, {row, row + kWidth});
      for (int64_t b = 0; b < 3; ++b) {
        const std::byte* expected = bytes.data() + r * row_bytes + b * block_bytes;
        const std::byte* block = coded.bytes.data() + b * block_bytes;
        ASSERT_EQ(has_scale(expected), has_scale(block)) << name << ", row " << r;
        if (dtype == Dtype::kIq4Nl && !has_scale(expected)) continue;
        ASSERT_EQ(std::memcmp(block, expected, block_bytes), 0) << name << ", row " << r;
        ++compared;
      }
    }
    EXPECT_GE(compared, 35) << name;
  }
}

TEST(GgufBlockCodecs, ReadRowsAsBlocksAreRead) {
  for (const auto& [name, dtype] : kGgufCodecs) {
    for (const std::vector<float>& row : some_rows(3)) {
      const Coded coded = code(codec_named(name), row);
      expect_same_bits(coded.values,
                       decoded_blocks(*block_type_of(dtype), coded.bytes, std::ssize(row)));
    }
  }
}

TEST(GgufBlockCodecs, FillTheLastBlockWithZeros) {
  Random random(4);
  for (const auto& [name, dtype] : kGgufCodecs) {
    const std::vector<float> row = random.normals(40);
    std::vector<float> filled = row;
    filled.resize(64);
    EXPECT_EQ(code(codec_named(name), row).bytes, code(codec_named(name), filled).bytes) << name;
  }
}

TEST(Iq4NlCodec, TakesTheNearestEntryThenTheBestScale) {
  // The table as the values of a block whose scale is 1 and whose codes ascend.
  std::vector<std::byte> block(18);
  store_unaligned(block.data(), f16_encode(1));
  for (int i = 0; i < 16; ++i) block[2 + i] = static_cast<std::byte>(i);
  const BlockType& type = *block_type_of(Dtype::kIq4Nl);
  const std::vector<float> table = decoded_blocks(type, block, 16);
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    const std::vector<float> row = random.normals(32, power_of_two(random, -6, 6));
    const Coded coded = code(codec_named("iq4_nl"), row);
    const auto by_magnitude = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const double d = *std::max_element(row.begin(), row.end(), by_magnitude) / -127.0;
    double product_sum = 0;
    double square_sum = 0;
    for (size_t i = 0; i < 32; ++i) {
      const auto pair = coded.byte_at(2 + static_cast<int64_t>(i % 16));
      const double entry = table[i < 16 ? pair & 15 : pair >> 4];
      expect_nearest(row[i], entry * d, scaled({table.begin(), table.end()}, d));
      product_sum += std::pow(row[i], 3) * entry;
      square_sum += std::pow(row[i] * entry, 2);
    }
    const double scale = product_sum / square_sum;
    EXPECT_NEAR(coded.f16_at(0), scale, std::fabs(scale) * 0x1.01p-11);
  }
}

TEST(Iq4NlCodec, GivesAValueHalfWayToTheLowerEntry) {
  std::vector<float> row(32, 0.0f);
  row[0] = -127;
  row[1] = -115.5f;  // between -127 and -104
  row[2] = 7;        // between 1 and 13
  const Coded coded = code(codec_named("iq4_nl"), row);
  EXPECT_EQ(coded.byte_at(2 + 1) & 15, 0);
  EXPECT_EQ(coded.byte_at(2 + 2) & 15, 8);
}

// ---- packed codes -------------------------------------------------------------------------------

void expect_int_token(const Codec& codec, int bits, int64_t group_size,
                      const std::vector<float>& row) {
  const Coded coded = code(codec, row);
  const int64_t width = std::ssize(row);
  const int64_t groups = (width + group_size - 1) / group_size;
  ASSERT_EQ(std::ssize(coded.bytes), packed_bytes(bits, width) + 4 * groups);
  const std::vector<uint8_t> codes = coded.codes(bits);
  const int top = (1 << bits) - 1;
  for (int64_t g = 0; g < groups; ++g) {
    const auto begin = row.begin() + g * group_size;
    const auto end = row.begin() + std::min((g + 1) * group_size, width);
    const float scale = coded.f16_at(packed_bytes(bits, width) + 2 * g);
    const float minimum = coded.f16_at(packed_bytes(bits, width) + 2 * groups + 2 * g);
    EXPECT_EQ(minimum, f16_decode(f16_encode(*std::min_element(begin, end))));
    const float range = *std::max_element(begin, end) - minimum;
    EXPECT_EQ(scale, f16_decode(f16_encode(range / static_cast<float>(top))));
    std::vector<double> levels;
    for (int q = 0; q <= top; ++q) levels.push_back(q * double{scale} + minimum);
    for (auto value = begin; value != end; ++value) {
      const int64_t i = value - row.begin();
      expect_nearest(*value, levels[codes[i]], levels);
      EXPECT_EQ(coded.values[i], static_cast<float>(codes[i]) * scale + minimum);
    }
  }
}

TEST(IntTokenCodecs, TakeTheNearestStepBetweenLeastAndLargest) {
  for (const std::vector<float>& row : some_rows(6)) {
    for (const int bits : {2, 3, 4}) {
      for (const int64_t group_size : {32, 64}) {
        const std::string name =
            "int" + std::to_string(bits) + "-token-g" + std::to_string(group_size);
        expect_int_token(codec_named(name), bits, group_size, row);
      }
    }
  }
}

TEST(IntTokenCodecs, GiveAValueHalfWayToTheEvenStep) {
  std::vector<float> row = {0, 15, .5f, 1.5f, 2.5f, 13.5f, 14.5f};
  const std::vector<float> expected = {0, 15, 0, 2, 2, 14, 14};
  EXPECT_EQ(code(codec_named("int4-token-g32"), row).values, expected);
}

void expect_scaled_fp4(const Codec& codec, int64_t group_size, const std::vector<float>& row,
                       auto scale_of_byte, auto check_scale) {
  const Coded coded = code(codec, row);
  const int64_t width = std::ssize(row);
  const std::vector<uint8_t> codes = coded.codes(4);
  for (int64_t i = 0; i < width; ++i) {
    const uint8_t byte = coded.byte_at(packed_bytes(4, width) + i / group_size);
    const double scale = scale_of_byte(byte);
    check_scale(byte, double{largest_magnitude_of(row, i / group_size * group_size, group_size)});
    expect_nearest(row[i], fp4_decode(codes[i]) * scale, scaled(levels_of(fp4_decode, 16), scale));
    EXPECT_NEAR(coded.values[i], fp4_decode(codes[i]) * scale, std::fabs(coded.values[i]) * 1e-6);
  }
}

TEST(Mxfp4Codec, TakesTheSmallestPowerOfTwoThatHoldsTheGroup) {
  const auto scale_of = [](uint8_t byte) { return std::ldexp(1.0, byte - 127); };
  for (const std::vector<float>& row : some_rows(7)) {
    expect_scaled_fp4(codec_named("mxfp4"), 32, row, scale_of, [&](uint8_t byte, double largest) {
      EXPECT_TRUE(largest <= 6 * scale_of(byte) && largest > 3 * scale_of(byte)) << largest;
    });
  }
}

TEST(Nvfp4Codec, TakesTheE4m3NumberNearestToASixthOfTheLargest) {
  const double tensor_scale = 64.0 / (6 * 448);
  const auto scale_of = [&](uint8_t byte) { return fp8_decode(byte) * tensor_scale; };
  const std::vector<double> scales = scaled(levels_of(fp8_decode, 127), tensor_scale);
  for (const std::vector<float>& row : some_rows(8)) {
    expect_scaled_fp4(codec_named("nvfp4"), 16, row, scale_of, [&](uint8_t byte, double largest) {
      expect_nearest(largest / 6, scale_of(byte), scales);
    });
  }
}

// ---- turbo --------------------------------------------------------------------------------------

// Both halves of a codebook.
std::vector<double> codebook_of(int bits) {
  std::vector<double> entries = {.4528, 1.5104};
  if (bits == 3) entries = {.2451, .7560, 1.3439, 2.1519};
  if (bits == 4) entries = {.1284, .3880, .6568, .9423, 1.2562, 1.6180, 2.0690, 2.7326};
  for (size_t i = 0; i < size_t{1} << (bits - 1); ++i)
    entries.insert(entries.begin(), -entries[2 * i]);
  return entries;
}

template <class Values>
double norm_of(const Values& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

std::vector<double> entries_of(const Coded& coded, int bits) {
  std::vector<double> entries;
  for (const uint8_t code : coded.codes(bits)) entries.push_back(codebook_of(bits)[code]);
  return entries;
}

TEST(TurboCodecs, TakeTheNearestEntryAndKeepTheNorm) {
  for (const std::vector<float>& row : some_rows(9)) {
    const double rms = norm_of(row) / std::sqrt(row.size());
    for (const int bits : {2, 3, 4}) {
      const Coded coded = code(codec_named("turbo" + std::to_string(bits)), row);
      const std::vector<double> entries = entries_of(coded, bits);
      const float scale = coded.f16_at(packed_bytes(bits, std::ssize(row)));
      for (size_t i = 0; i < row.size(); ++i) {
        expect_nearest(row[i] / rms, entries[i], codebook_of(bits));
        EXPECT_EQ(coded.values[i], static_cast<float>(entries[i]) * scale);
      }
      EXPECT_NEAR(norm_of(coded.values), norm_of(row), norm_of(row) * 0x1.01p-11);
    }
  }
}

// The mean squared error of directions alone, without the norm's correction, of 64 values.
TEST(TurboCodecs, LoseOfNormalDirectionsWhatLloydMaxLoses) {
  constexpr double kExpected[] = {.1144, .0335, .0092};  // 2, 3, 4 bits
  constexpr int64_t kRows = 8192;
  for (const int bits : {2, 3, 4}) {
    Random random(10);
    double error = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      const std::vector<float> row = random.normals(64);
      const std::vector<double> entries =
          entries_of(code(codec_named("turbo" + std::to_string(bits)), row), bits);
      for (size_t i = 0; i < 64; ++i) {
        error += std::pow(row[i] / norm_of(row) - entries[i] / 8, 2);
      }
    }
    EXPECT_NEAR(error / kRows, kExpected[bits - 2], .01 * kExpected[bits - 2]) << bits;
  }
}

}  // namespace
}  // namespace kvasir::kernels
