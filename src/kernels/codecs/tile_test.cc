// What holds for the codecs that code the rows of a block together.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "kernels/codecs/codec.h"
#include "kernels/test_support.h"
#include "npy.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kBlockRows = 128;

struct Expected {
  std::string_view name;
  int64_t block_bytes;  // of 128 rows of 64 values
  double error;         // ||x - x'|| / ||x|| of blocks of 128 x 64 normal values
};

// The errors are those of oracles in torch and NumPy, of KVarN computed in logarithms.
constexpr Expected kExpected[] = {
    {"kvarn4-keys", 4 * 1024 + 512, .0982},   {"kvarn3-keys", 3 * 1024 + 512, .2105},
    {"kvarn2-keys", 2 * 1024 + 512, .4924},   {"kvarn4-values", 4 * 1024 + 640, .0892},
    {"kvarn3-values", 3 * 1024 + 640, .1911}, {"kvarn2-values", 2 * 1024 + 640, .4482},
    {"int4-channel", 4 * 1024 + 1024, .0783}, {"int3-channel", 3 * 1024 + 1024, .1677},
    {"int2-channel", 2 * 1024 + 1024, .3933}, {"int8-channel", 8 * 1024 + 128, .00646},
    {"e4m3-channel", 8 * 1024 + 128, .0257},
};

const Codec& codec_named(std::string_view name) {
  const Codec* codec = find_codec(name);
  EXPECT_NE(codec, nullptr) << name;
  return *codec;
}

bool is_of_bytes(const Codec& codec) {
  return codec.id == CodecId::kInt8Channel || codec.id == CodecId::kE4m3Channel;
}
bool is_of_values(const Codec& codec) { return std::string_view(codec.name).ends_with("values"); }

// The bytes of blocks, and their rows as they are read.
struct Coded {
  std::vector<std::byte> bytes;
  std::vector<float> rows;
};

Coded code(const Codec& codec, const std::vector<float>& rows, int64_t width) {
  const CodedRows form{
      .codec = codec.id, .shape = {.width = width}, .row_count = std::ssize(rows) / width};
  const int64_t bytes = form.row_count / codec.group_rows * codec.bytes(form.shape);
  Coded coded{std::vector<std::byte>(static_cast<size_t>(bytes)), std::vector<float>(rows.size())};
  encode_coded(form, rows.data(), coded.bytes.data());
  decode_coded(form, coded.bytes.data(), coded.rows.data());
  return coded;
}

// ||x - x'|| / ||x||, of the values that are counted(row, channel).
template <class Counted>
double error_of(const Codec& codec, const std::vector<float>& rows, int64_t width,
                Counted counted) {
  const std::vector<float> back = code(codec, rows, width).rows;
  double error = 0;
  double sum = 0;
  for (int64_t i = 0; i < std::ssize(rows); ++i) {
    if (!counted(i / width, i % width)) continue;
    error += std::pow(double{rows[i]} - back[i], 2);
    sum += std::pow(double{rows[i]}, 2);
  }
  return std::sqrt(error / sum);
}

double error_of(const Codec& codec, const std::vector<float>& rows, int64_t width) {
  return error_of(codec, rows, width, [](int64_t, int64_t) { return true; });
}

// Normal values, but channel 3 eight times as large and the first row of each block small.
std::vector<float> outlier_rows(int64_t row_count, int64_t width, float first_row = 0.1f) {
  Random random(2);
  std::vector<float> rows = random.normals(row_count * width);
  for (int64_t r = 0; r < row_count; ++r) rows[r * width + 3] *= 8;
  for (int64_t r = 0; r < row_count; r += kBlockRows) {
    for (int64_t c = 0; c < width; ++c) rows[r * width + c] *= first_row;
  }
  return rows;
}

std::vector<float> scaled(std::vector<float> values, float scale) {
  for (float& value : values) value *= scale;
  return values;
}

// ---- bytes ----

TEST(TileCodecs, AreThoseOfTheTable) {
  size_t count = 0;
  for (size_t i = 0; i < kCodecCount; ++i) {
    const Codec& codec = codec_of(static_cast<CodecId>(i));
    count += codec.group_rows > 1 && codec.side_bytes == nullptr ? 1 : 0;
  }
  EXPECT_EQ(count, std::size(kExpected));
  for (const Expected& expected : kExpected) {
    const Codec& codec = codec_named(expected.name);
    EXPECT_FALSE(codec.is_read_at_once) << codec.name;
    EXPECT_EQ(kBlockRows / codec.group_rows * codec.bytes({.width = 64}), expected.block_bytes)
        << codec.name;
  }
}

TEST(TileCodecs, HaveTheBytesOfVersion1) {
  const std::string folder = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/codec/";
  const auto golden = testing::read_float_npy(folder + "tile_input.npy");
  ASSERT_EQ(golden.shape.front(), kBlockRows);
  const int64_t golden_width = golden.shape.back();
  std::ifstream lines(folder + "tile_sha256.txt");
  std::string name;
  std::string digest;
  int64_t width = 0;
  size_t count = 0;
  for (; lines >> name >> width >> digest; ++count) {
    const Codec& codec = codec_named(name);
    ASSERT_EQ(codec.version, 1u);
    std::vector<float> rows;
    for (int64_t r = 0; r < codec.group_rows; ++r) {
      const auto row = golden.values.begin() + r * golden_width;
      rows.insert(rows.end(), row, row + width);
    }
    EXPECT_EQ(to_hex(Sha256().add(code(codec, rows, width).bytes).finish()), digest)
        << name << " " << width;
  }
  EXPECT_EQ(count, 2 * std::size(kExpected));
}

TEST(TileCodecs, OfAnyWidthFillTheirBytesAndNoMore) {
  Random random(1);
  for (const Expected& expected : kExpected) {
    const Codec& codec = codec_named(expected.name);
    for (const int64_t width : {1, 2, 15, 16, 17, 33, 48, 64, 80, 96, 128, 256, 576, 577}) {
      const int64_t size = codec.group_rows * width;
      Placed<float> rows(random.normals(size), random.integer(0, 15));
      const int64_t bytes = codec.bytes({.width = width});
      std::vector<std::byte> out(static_cast<size_t>(bytes + 1), std::byte{0xee});
      std::vector<std::byte> again(out.size(), std::byte{0x11});
      codec.encode({.width = width}, {}, rows.data(), out.data());
      codec.encode({.width = width}, {}, rows.data(), again.data());
      ASSERT_TRUE(std::equal(out.begin(), out.end() - 1, again.begin())) << codec.name << width;
      ASSERT_EQ(out.back(), std::byte{0xee}) << codec.name << width;

      Placed<std::byte> placed({out.begin(), out.end() - 1}, random.integer(0, 15));
      std::vector<float> back(static_cast<size_t>(size + 1), -7);
      codec.decode({.width = width}, {}, placed.data(), 0, codec.group_rows, back.data());
      EXPECT_EQ(back.back(), -7) << codec.name << width;
    }
  }
}

TEST(TileCodecs, AnyRowsOfAGroupDecodeAsInTheWhole) {
  Random random(3);
  for (const Expected& expected : kExpected) {
    const Codec& codec = codec_named(expected.name);
    for (const int64_t width : {1, 48, 81, 128}) {
      const Coded coded = code(codec, random.normals(codec.group_rows * width), width);
      for (int round = 0; round < 20; ++round) {
        const int64_t begin = random.integer(0, codec.group_rows - 1);
        const int64_t end = random.integer(begin + 1, codec.group_rows);
        std::vector<float> part(static_cast<size_t>((end - begin) * width));
        codec.decode({.width = width}, {}, coded.bytes.data(), begin, end, part.data());
        expect_same_bits(part,
                         {coded.rows.begin() + begin * width, coded.rows.begin() + end * width});
      }
    }
  }
}

// ---- errors ----

TEST(TileCodecs, LoseOfNormalValuesWhatTheTableSays) {
  Random random(7);
  const std::vector<float> rows = random.normals(64 * kBlockRows * 64);
  for (const Expected& expected : kExpected) {
    EXPECT_NEAR(error_of(codec_named(expected.name), rows, 64), expected.error,
                .01 * expected.error)
        << expected.name;
  }
}

// A range of 128 values is larger than one of 64, so the steps of a channel are too.
TEST(TileCodecs, LoseOfNormalValuesNoMoreThanIntegersOfAsManyValues) {
  Random random(8);
  const std::vector<float> rows = random.normals(32 * kBlockRows * 64);
  const double token = error_of(codec_named("int4-token-g64"), rows, 64);
  EXPECT_LT(error_of(codec_named("kvarn4-values"), rows, 64), token);
  EXPECT_LT(error_of(codec_named("int4-channel"), rows, 64), token);
  EXPECT_NEAR(error_of(codec_named("kvarn4-keys"), rows, 64),
              error_of(codec_named("kvarn4-values"), rows, 128), .002);
}

TEST(TileCodecs, LoseLessThanIntegersPerTokenWhereAChannelIsLarge) {
  for (const int64_t width : {48, 64}) {
    const std::vector<float> rows = outlier_rows(16 * kBlockRows, width);
    const auto is_other = [](int64_t, int64_t channel) { return channel != 3; };
    const Codec& token = codec_named("int4-token-g64");
    for (const std::string_view name : {"kvarn4-keys", "kvarn4-values", "int4-channel"}) {
      const Codec& codec = codec_named(name);
      EXPECT_LT(error_of(codec, rows, width), .85 * error_of(token, rows, width)) << name << width;
      EXPECT_LT(error_of(codec, rows, width, is_other),
                .55 * error_of(token, rows, width, is_other))
          << name << width;
    }
  }
}

TEST(Kvarn, KeepsASmallRowOfKeysWhereStepsOfAllRowsLoseIt) {
  const std::vector<float> rows = outlier_rows(kBlockRows, 64, 0.4f);
  const auto is_first = [](int64_t row, int64_t) { return row == 0; };
  const double whole = error_of(codec_named("kvarn4-keys"), rows, 64);
  EXPECT_LT(error_of(codec_named("kvarn4-keys"), rows, 64, is_first), 1.3 * whole);
  EXPECT_GT(error_of(codec_named("int4-channel"), rows, 64, is_first), 1.5 * whole);
}

// ---- scales ----

TEST(TileCodecs, LoseTheSameShareAtAnyScale) {
  const std::vector<float> rows = outlier_rows(8 * kBlockRows, 64);
  for (const Expected& expected : kExpected) {
    const Codec& codec = codec_named(expected.name);
    const double error = error_of(codec, rows, 64);
    // Up to 60,000.
    EXPECT_NEAR(error_of(codec, scaled(rows, 1500), 64), error, .002 * error) << codec.name;
    // Scales of bytes are then no more than a few steps of half floats.
    const double tolerance = is_of_bytes(codec) ? .02 : .002;
    EXPECT_NEAR(error_of(codec, scaled(rows, 1e-4f), 64), error, tolerance * error) << codec.name;
  }
}

// Two half floats share the size of a number.
TEST(Kvarn, LosesTheSameShareWhereSingleHalfFloatsAreTooCoarse) {
  const std::vector<float> rows = outlier_rows(8 * kBlockRows, 64);
  for (const std::string_view name : {"kvarn4-keys", "kvarn2-keys", "kvarn4-values"}) {
    const Codec& codec = codec_named(name);
    const double error = error_of(codec, rows, 64);
    EXPECT_NEAR(error_of(codec, scaled(rows, 1e-6f), 64), error, .02 * error) << name;
  }
}

TEST(TileCodecs, ReachTheLargestHalfFloats) {
  Random random(9);
  std::vector<float> rows(kBlockRows * 96);
  for (float& value : rows) value = static_cast<float>(random.integer(-60000, 60000));
  for (const Expected& expected : kExpected) {
    EXPECT_LT(error_of(codec_named(expected.name), rows, 96), 1.01 * expected.error)
        << expected.name;
  }
}

TEST(TileCodecs, OfTinyValuesAreTinyOrZero) {
  Random random(10);
  for (const Expected& expected : kExpected) {
    const Codec& codec = codec_named(expected.name);
    for (const float scale : {1e-7f, 1e-12f, 1e-30f, 1e-38f, 1e-41f, 1e-45f}) {
      const std::vector<float> rows = random.normals(kBlockRows * 80, scale);
      // Half a step of half floats, times the largest code.
      const double tolerance = std::max(5.0 * scale, scale < 1e-8f ? 0 : 448 * 0x1p-25);
      for (const float back : code(codec, rows, 80).rows) {
        ASSERT_LE(std::fabs(back), tolerance) << codec.name << " " << scale;
      }
    }
  }
}

// Nothing else is promised of what half floats do not hold.
TEST(TileCodecs, OfAnyFiniteValuesAreFinite) {
  std::vector<float> rows(kBlockRows * 80, 0.0f);
  for (size_t i = 0; i < rows.size(); i += 7) rows[i] = i % 2 == 0 ? 3e38f : -3e38f;
  for (const Expected& expected : kExpected) {
    for (const float back : code(codec_named(expected.name), rows, 80).rows) {
      ASSERT_TRUE(std::isfinite(back)) << expected.name;
    }
  }
}

// ---- without deviation ----

TEST(TileCodecs, OfZerosAreZeros) {
  for (const Expected& expected : kExpected) {
    for (const float zero : {0.0f, -0.0f}) {
      const std::vector<float> rows(kBlockRows * 80, zero);
      EXPECT_EQ(code(codec_named(expected.name), rows, 80).rows, rows) << expected.name;
    }
  }
}

// Where a step is a channel's, a channel of zeros stays what it was; and so does a row of zeros
// where it is a row's. Else they are rounded as others are.
TEST(TileCodecs, OfAZeroChannelAndAZeroRowLoseNoMoreThanOfOthers) {
  constexpr int64_t kWidth = 64;
  constexpr int64_t kZero = 5;
  Random random(11);
  std::vector<float> rows = random.normals(kBlockRows * kWidth);
  for (int64_t i = 0; i < kWidth; ++i) rows[kZero * kWidth + i] = 0;
  for (int64_t r = 0; r < kBlockRows; ++r) rows[r * kWidth + kZero] = 0;
  for (const Expected& expected : kExpected) {
    const Codec& codec = codec_named(expected.name);
    const std::vector<float> back = code(codec, rows, kWidth).rows;
    EXPECT_LT(error_of(codec, rows, kWidth), 1.05 * expected.error) << codec.name;
    for (int64_t r = 0; r < kBlockRows; ++r) {
      EXPECT_NEAR(back[r * kWidth + kZero], 0, is_of_values(codec) ? 2 * expected.error : 0);
    }
    for (int64_t c = 0; c < kWidth; ++c) {
      EXPECT_NEAR(back[kZero * kWidth + c], 0, is_of_values(codec) ? 0 : 4 * expected.error);
    }
  }
}

TEST(TileCodecs, OfOneValueHitIt) {
  for (const Expected& expected : kExpected) {
    for (const float value : {1.0f, -1.0f, 3.3f, -3.3f, .07f, -40.0f, 60000.0f, -60000.0f}) {
      const std::vector<float> rows(kBlockRows * 48, value);
      for (const float back : code(codec_named(expected.name), rows, 48).rows) {
        ASSERT_NEAR(back, value, 0x1p-10 * std::fabs(value)) << expected.name;
      }
    }
  }
}

TEST(TileCodecs, OfRowsOfOneValueLoseNoMoreThanOfOthers) {
  Random random(12);
  const std::vector<float> rows = random.normals(64 * kBlockRows);
  for (const Expected& expected : kExpected) {
    EXPECT_LT(error_of(codec_named(expected.name), rows, 1), 1.03 * expected.error)
        << expected.name;
  }
}

}  // namespace
}  // namespace kvasir::kernels
