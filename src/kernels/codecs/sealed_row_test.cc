// What holds for every codec of complete blocks whose rows stand alone.
#include "kernels/codecs/sealed_row.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "kernels/test_support.h"
#include "npy.h"

namespace kvasir::kernels {
namespace {

struct Expected {
  std::string_view name;
  int64_t block_bytes;  // of 128 rows of 64 values
  // ||x - x'|| / ||x|| of 4,096 rows of 64 normal values, and of these times 1e-4 and 1e4.
  double error;
  double small_error;  // larger where the scale is a subnormal half float
  double large_error;
  uint64_t digest;  // of the bytes of golden rows
};

constexpr Expected kExpected[] = {
    {"int8-token", 8448, .00596, .00628, .00596, 0x13afb4fdb7840994},
    {"e4m3-token", 8448, .02501, .02655, .02501, 0x50ecd52e7488b82f},
    {"e4m3-ue8m0", 8320, .02650, .02642, .02654, 0xd66d8553c41fa1b0},
    {"e4m3-1", 8192, .02650, 1, .96463,
     0xb9ce6b7e662de8f6},  // without a scale, and 448 is the largest
    {"e5m2", 8192, .05276, .05942, .05297, 0x2243a53cfdd80d2e},
    {"q8_0", 8704, .00537, .01094, .00537, 0x9e9e8706e3c86163},
    {"q5_1", 6144, .03793, .03804, .03793, 0x9e1502643506f984},
    {"q5_0", 5632, .04281, .04283, .04281, 0x21d9b0bca5109ff2},
    {"q4_1", 5120, .07831, .07833, .07831, 0xe2fe1ea0b0c5ff9e},
    {"q4_0", 4608, .08637, .08637, .08637, 0x03e4f292e6e349ac},
    {"iq4_nl", 4608, .0787, .0793, .0787, 0xc2be6dec0938fb09},
    {"int4-token-g32", 5120, .07831, .07831, .07831, 0x8e212972027a0016},
    {"int4-token-g64", 4608, .08978, .08978, .08978, 0xe63ac48fd0344653},
    {"int3-token-g32", 4096, .16821, .16821, .16821, 0xbe9d9b5985c8115e},
    {"int3-token-g64", 3584, .19287, .19287, .19287, 0xe43a88fa551f4918},
    {"int2-token-g32", 3072, .39385, .39385, .39385, 0x03ae91eaaa7cb5cd},
    {"int2-token-g64", 2560, .45133, .45133, .45133, 0x7ff0ccad80757bb6},
    {"nvfp4", 4608, .09523, .20140, .99490,
     0xf0764fc27ea7b7d9},  // its scale is for values up to 64
    {"mxfp4", 4352, .11545, .11675, .11819, 0x5a85147586e35e27},
    {"turbo4", 4352, .09471, .09471, .09471, 0x9b5903356e802d88},
    {"turbo3", 3328, .18218, .18218, .18218, 0x37318d769d466f49},
    {"turbo2", 2304, .34180, .34180, .34180, 0xa66227487d843e7d},
};

std::vector<const Codec*> codecs() {
  std::vector<const Codec*> found;
  for (size_t i = kRowFormatCount; i < kCodecCount; ++i) {
    const Codec& codec = codec_of(static_cast<CodecId>(i));
    if (codec.group_rows == 1 && codec.side_bytes == nullptr) found.push_back(&codec);
  }
  return found;
}

Expected expected_of(const Codec& codec) {
  for (const Expected& row : kExpected) {
    if (row.name == codec.name) return row;
  }
  ADD_FAILURE() << codec.name << " is not in the table";
  return {};
}

std::vector<std::byte> coded(const Codec& codec, const std::vector<float>& rows, int64_t width) {
  const int64_t bytes = codec.bytes({.width = width});
  const int64_t row_count = std::ssize(rows) / width;
  std::vector<std::byte> out(static_cast<size_t>(row_count * bytes));
  for (int64_t r = 0; r < row_count; ++r) {
    codec.encode({.width = width}, {}, rows.data() + r * width, out.data() + r * bytes);
  }
  return out;
}

std::vector<float> decoded(const Codec& codec, const std::vector<std::byte>& bytes, int64_t width,
                           int64_t row_begin, int64_t row_end) {
  std::vector<float> rows(static_cast<size_t>((row_end - row_begin) * width));
  codec.decode({.width = width}, {}, bytes.data(), row_begin, row_end, rows.data());
  return rows;
}

std::vector<float> coded_and_back(const Codec& codec, const std::vector<float>& rows,
                                  int64_t width) {
  return decoded(codec, coded(codec, rows, width), width, 0, std::ssize(rows) / width);
}

double relative_error(const std::vector<float>& values, const std::vector<float>& others) {
  double error = 0;
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    error += std::pow(double{values[i]} - others[i], 2);
    sum += std::pow(double{values[i]}, 2);
  }
  return std::sqrt(error / sum);
}

double error_of(const Codec& codec, const std::vector<float>& rows, int64_t width) {
  return relative_error(rows, coded_and_back(codec, rows, width));
}

TEST(SealedRows, TakeTheBytesOfTheTable) {
  EXPECT_EQ(codecs().size(), std::size(kExpected));
  for (const Codec* codec : codecs()) {
    EXPECT_EQ(128 * codec->bytes({.width = 64}), expected_of(*codec).block_bytes) << codec->name;
    EXPECT_FALSE(codec->is_read_at_once) << codec->name;
  }
}

TEST(SealedRows, LoseOfNormalValuesWhatTheTableSaysAtAnyScale) {
  for (const Codec* codec : codecs()) {
    const Expected& expected = expected_of(*codec);
    const auto error = [&](float scale) {
      Random random(7);
      return error_of(*codec, random.normals(4096 * 64, scale), 64);
    };
    EXPECT_NEAR(error(1), expected.error, .01 * expected.error) << codec->name;
    EXPECT_NEAR(error(1e-4f), expected.small_error, .02 * expected.small_error) << codec->name;
    EXPECT_NEAR(error(1e4f), expected.large_error, .01 * expected.large_error) << codec->name;
  }
}

TEST(SealedRows, HaveTheBytesOfVersion1) {
  constexpr int64_t kWidth = 128;
  const auto golden =
      testing::read_float_npy(std::string(KVASIR_SOURCE_DIR) + "/tests/golden/codec/key_input.npy");
  ASSERT_EQ(golden.values.size(), 256 * kWidth);
  // The same rows shortened: groups and blocks that are not full.
  constexpr int64_t kShortWidth = 93;
  std::vector<float> shortened;
  for (auto row = golden.values.begin(); row != golden.values.end(); row += kWidth) {
    shortened.insert(shortened.end(), row, row + kShortWidth);
  }
  for (const Codec* codec : codecs()) {
    ASSERT_EQ(codec->version, 1u);
    std::vector<std::byte> bytes = coded(*codec, golden.values, kWidth);
    const std::vector<std::byte> more = coded(*codec, shortened, kShortWidth);
    bytes.insert(bytes.end(), more.begin(), more.end());
    EXPECT_EQ(xxh3_64(bytes), expected_of(*codec).digest)
        << codec->name << std::hex << " 0x" << xxh3_64(bytes);
  }
}

TEST(SealedRows, OfAnyWidthFillTheirBytesAndNoMore) {
  Random random(1);
  for (const Codec* codec : codecs()) {
    for (const int64_t width : {1, 2, 15, 16, 17, 31, 33, 63, 65, 80, 96, 127, 129, 576, 577}) {
      Placed<float> row(random.normals(width), random.integer(0, 15));
      const int64_t bytes = codec->bytes({.width = width});
      std::vector<std::byte> out(static_cast<size_t>(bytes + 1), std::byte{0xee});
      std::vector<std::byte> again(out.size(), std::byte{0x11});
      codec->encode({.width = width}, {}, row.data(), out.data());
      codec->encode({.width = width}, {}, row.data(), again.data());
      ASSERT_TRUE(std::equal(out.begin(), out.end() - 1, again.begin())) << codec->name << width;
      ASSERT_EQ(out.back(), std::byte{0xee}) << codec->name << width;

      Placed<std::byte> placed({out.begin(), out.end() - 1}, random.integer(0, 15));
      std::vector<float> back(static_cast<size_t>(width + 1), -7);
      codec->decode({.width = width}, {}, placed.data(), 0, 1, back.data());
      EXPECT_EQ(back.back(), -7) << codec->name << width;
    }
  }
}

TEST(SealedRows, LoseNoMoreWhereGroupsAreNotFull) {
  for (const Codec* codec : codecs()) {
    for (const int64_t width : {80, 96, 200, 576}) {
      Random random(2);
      const double error = error_of(*codec, random.normals(64 * width), width);
      // A scale for a whole row is larger where the row is long.
      EXPECT_LT(error, 1.25 * expected_of(*codec).error) << codec->name << " " << width;
    }
  }
}

TEST(SealedRows, AnyOfABlockDecodeAsInTheWhole) {
  constexpr int64_t kWidth = 80;
  Random random(3);
  const std::vector<float> rows = random.normals(128 * kWidth);
  for (const Codec* codec : codecs()) {
    const std::vector<std::byte> bytes = coded(*codec, rows, kWidth);
    const std::vector<float> whole = decoded(*codec, bytes, kWidth, 0, 128);
    for (int round = 0; round < 20; ++round) {
      const int64_t begin = random.integer(0, 127);
      const int64_t end = random.integer(begin + 1, 128);
      const std::vector<float> part = decoded(*codec, bytes, kWidth, begin, end);
      expect_same_bits(part, {whole.begin() + begin * kWidth, whole.begin() + end * kWidth});
    }
  }
}

TEST(SealedRows, OfDecodedNormalValuesStay) {
  Random random(4);
  const std::vector<float> rows = random.normals(512 * 96);
  for (const Codec* codec : codecs()) {
    const std::vector<float> once = coded_and_back(*codec, rows, 96);
    EXPECT_EQ(coded_and_back(*codec, once, 96), once) << codec->name;
  }
}

TEST(SealedRows, OfZerosAreZeros) {
  for (const Codec* codec : codecs()) {
    for (const float zero : {0.0f, -0.0f}) {
      const std::vector<float> row(80, zero);
      EXPECT_EQ(coded_and_back(*codec, row, 80), row) << codec->name;
    }
    // One group of zeros among others, in the middle of the row.
    Random random(5);
    std::vector<float> row = random.normals(192);
    std::fill(row.begin() + 64, row.begin() + 128, 0.0f);
    const std::vector<float> back = coded_and_back(*codec, row, 192);
    const bool has_no_zero = std::string_view(codec->name).starts_with("turbo");
    for (size_t i = 64; i < 128; ++i) {
      EXPECT_NEAR(back[i], 0, has_no_zero ? 1 : 0) << codec->name;
    }
  }
}

// The largest relative step of a codec: constant groups are hit as well as the grid is fine there.
double step_of(const Codec& codec) {
  const std::string_view name = codec.name;
  if (name == "mxfp4") return 1.0 / 5;  // 5 lies between 4 and 6
  if (name == "nvfp4" || name == "e4m3-1" || name == "e4m3-ue8m0") return 1.0 / 16;
  if (name == "e5m2") return 1.0 / 8;
  return 0x1p-10;  // of half floats
}

// Of a row of 60000s, the scale of turbo3 would be 60000 / .756, which is no half float.
bool is_clamped_early(const Codec& codec) {
  return codec.id == CodecId::kE4m3One || codec.id == CodecId::kNvfp4 ||
         codec.id == CodecId::kTurbo3;
}

TEST(SealedRows, OfOneValueHitIt) {
  for (const Codec* codec : codecs()) {
    for (const float value : {1.0f, -1.0f, 3.3f, -3.3f, .07f, -40.0f, 60000.0f, -60000.0f}) {
      if (std::fabs(value) > 448 && is_clamped_early(*codec)) continue;
      const std::vector<float> row(96, value);
      for (const float back : coded_and_back(*codec, row, 96)) {
        ASSERT_NEAR(back, value, step_of(*codec) * std::fabs(value)) << codec->name;
      }
    }
  }
}

TEST(SealedRows, OfTinyValuesAreTinyOrZero) {
  Random random(6);
  for (const Codec* codec : codecs()) {
    for (const float scale : {1e-7f, 1e-12f, 1e-30f, 1e-38f, 1e-41f, 1e-45f}) {
      const std::vector<float> row = random.normals(160, scale);
      // Half a step of half floats, times the largest code.
      const double tolerance = std::max(4.0 * scale, scale < 1e-8f ? 0 : 128 * 0x1p-25);
      for (const float back : coded_and_back(*codec, row, 160)) {
        ASSERT_LE(std::fabs(back), tolerance) << codec->name << " " << scale;
      }
    }
  }
}

TEST(SealedRows, ReachTheLargestHalfFloats) {
  Random random(8);
  std::vector<float> rows(128 * 96);
  for (float& value : rows) value = static_cast<float>(random.integer(-60000, 60000));
  for (const Codec* codec : codecs()) {
    const double error = error_of(*codec, rows, 96);
    const bool is_clamped = codec->id == CodecId::kE4m3One || codec->id == CodecId::kNvfp4;
    EXPECT_LT(error, is_clamped ? 1 : 1.2 * expected_of(*codec).error) << codec->name;
  }
}

// Nothing else is promised of what half floats do not hold.
TEST(SealedRows, OfAnyFiniteValuesAreFinite) {
  const float largest = 1e38f;
  std::vector<float> row(96, 0.0f);
  for (size_t i = 0; i < row.size(); i += 5) row[i] = i % 2 == 0 ? largest : -largest;
  for (const Codec* codec : codecs()) {
    for (const float back : coded_and_back(*codec, row, 96)) {
      ASSERT_TRUE(std::isfinite(back)) << codec->name;
    }
  }
}

}  // namespace
}  // namespace kvasir::kernels
