// Codecs that code with what was learnt of a model: beside plain versions of their definitions, on
// any shape, and where their numbers end.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/codecs/codec.h"
#include "kernels/codecs/learnt_support.h"
#include "kernels/codecs/low_rank.h"
#include "kernels/codecs/nuq.h"
#include "kernels/codecs/scale.h"
#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kBlockRows = 128;
constexpr int64_t kWidths[] = {1, 3, 16, 20, 48, 64, 80, 128, 576};
constexpr CodecId kKeys[] = {CodecId::kNuq4Keys, CodecId::kNuq3Keys, CodecId::kNuq2Keys};
constexpr CodecId kValues[] = {CodecId::kNuq4Values, CodecId::kNuq3Values, CodecId::kNuq2Values};
constexpr CodecId kLowRanks[] = {CodecId::kLowRank75, CodecId::kLowRank50, CodecId::kOja75,
                                 CodecId::kOja50};

struct Block {
  std::vector<std::byte> bytes;
  std::vector<float> rows;
};

// Rows [kBlockRows, width] as they are coded and read.
Block code(CodecId id, SideData side, const std::vector<float>& rows, int64_t width) {
  const Codec& codec = codec_of(id);
  const CodedRows form{
      .codec = id, .shape = {.width = width}, .side = side, .row_count = kBlockRows};
  const int64_t bytes = kBlockRows / codec.group_rows * codec.bytes(form.shape);
  Block block{std::vector<std::byte>(static_cast<size_t>(bytes)), std::vector<float>(rows.size())};
  encode_coded(form, rows.data(), block.bytes.data());
  decode_coded(form, block.bytes.data(), block.rows.data());
  return block;
}

std::vector<float> floats_of(SideData side, int64_t first, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::memcpy(values.data(), side.data() + first * 4, values.size() * sizeof(float));
  return values;
}

float nearest(const std::vector<float>& codebook, float value) {
  return *std::min_element(codebook.begin(), codebook.end(), [value](float a, float b) {
    return std::fabs(double{a} - value) < std::fabs(double{b} - value);
  });
}

double relative_error(const std::vector<float>& rows, const std::vector<float>& back) {
  double error = 0;
  double all = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    error += std::pow(double{rows[i]} - back[i], 2);
    all += std::pow(double{rows[i]}, 2);
  }
  return std::sqrt(error / all);
}

TEST(NuqKeys, AreTheNearestEntriesAndTheFarthestNumbersApart) {
  Random random(1);
  for (const CodecId id : kKeys) {
    for (const int64_t width : kWidths) {
      const auto side = side_data_of(codec_of(id), width, random);
      const std::vector<float> rows = random.normals(kBlockRows * width, 1.5f);
      const std::vector<float> back = code(id, side, rows, width).rows;
      const auto centers = floats_of(side, 0, width);
      const auto halves = floats_of(side, width, width);
      const auto codebook =
          floats_of(side, 2 * width, int64_t{1} << test_codebook_bits(codec_of(id)));
      std::vector<size_t> order(rows.size());
      std::iota(order.begin(), order.end(), size_t{0});
      const auto excess = [&](size_t place) {
        const size_t channel = place % static_cast<size_t>(width);
        return std::fabs(rows[place] - centers[channel]) - halves[channel];
      };
      std::stable_sort(order.begin(), order.end(),
                       [&](size_t a, size_t b) { return excess(a) > excess(b); });
      const auto apart = static_cast<size_t>((kBlockRows * width + 99) / 100);
      for (size_t i = 0; i < order.size(); ++i) {
        const size_t place = order[i];
        const size_t channel = place % static_cast<size_t>(width);
        const float x = (rows[place] - centers[channel]) / halves[channel];
        const float coded = nearest(codebook, x) * halves[channel] + centers[channel];
        ASSERT_EQ(back[place], i < apart ? f16_rounded(rows[place]) : coded)
            << codec_of(id).name << " width " << width << " at " << place;
      }
    }
  }
}

TEST(NuqValues, AreTheNearestEntriesOfTheRestsSpan) {
  Random random(2);
  for (const CodecId id : kValues) {
    for (const int64_t width : kWidths) {
      const auto side = side_data_of(codec_of(id), width, random);
      const auto codebook = floats_of(side, 0, int64_t{1} << test_codebook_bits(codec_of(id)));
      const std::vector<float> rows = random.normals(kBlockRows * width, 1.5f);
      const std::vector<float> back = code(id, side, rows, width).rows;
      for (int64_t r = 0; r < kBlockRows; ++r) {
        const float* row = rows.data() + r * width;
        std::vector<uint16_t> apart(static_cast<size_t>(nuq_outliers_of_row(width)));
        const NuqSpan span = nuq_span_of_row(row, width, apart.data());
        for (int64_t i = 0; i < width; ++i) {
          const bool is_apart = std::find(apart.begin(), apart.end(), i) != apart.end();
          const float x = (row[i] - span.center) / divisor_of(span.half);
          const float coded = nearest(codebook, x) * span.half + span.center;
          ASSERT_EQ(back[static_cast<size_t>(r * width + i)],
                    is_apart ? f16_rounded(row[i]) : coded)
              << codec_of(id).name << " width " << width << " row " << r << " at " << i;
        }
      }
    }
  }
}

TEST(NuqSpan, LeavesOutWhatLiesFarthestFromItsNeighbour) {
  std::vector<float> row(200, 0);
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i % 10);
  row[7] = -40;
  row[150] = 100;
  uint16_t apart[2];
  NuqSpan span = nuq_span_of_row(row.data(), 200, apart);
  EXPECT_EQ(apart[0], 150);
  EXPECT_EQ(apart[1], 7);
  EXPECT_EQ(span.center, 4.5f);
  EXPECT_EQ(span.half, 4.5f);
  // Of equal gaps the lowest goes.
  const std::vector<float> even{3, 1, 2};
  span = nuq_span_of_row(even.data(), 3, apart);
  EXPECT_EQ(apart[0], 1);
  EXPECT_EQ(span.center, 2.5f);
  EXPECT_EQ(span.half, 0.5f);
}

TEST(LowRank, KeepsWhatLiesInItsDirections) {
  Random random(3);
  for (const CodecId id : kLowRanks) {
    for (const int64_t width : {8, 20, 64, 576}) {
      const int64_t rank = rank_of(id, width);
      const std::vector<float> basis = orthonormal(random, rank, width);
      const auto side = [&] {
        std::vector<std::byte> bytes;
        for (const float value : basis) {
          const uint16_t half = f16_encode(value);
          bytes.push_back(static_cast<std::byte>(half & 0xff));
          bytes.push_back(static_cast<std::byte>(half >> 8));
        }
        return bytes;
      }();
      std::vector<float> inside(static_cast<size_t>(kBlockRows * width), 0);
      for (int64_t r = 0; r < kBlockRows; ++r) {
        for (int64_t k = 0; k < rank; ++k) {
          const float share = random.normal();
          for (int64_t i = 0; i < width; ++i) {
            inside[static_cast<size_t>(r * width + i)] += share * basis[k * width + i];
          }
        }
      }
      EXPECT_LT(relative_error(inside, code(id, side, inside, width).rows), 2e-3)
          << codec_of(id).name << " width " << width;
      // Of normal values a share of 1 - rank / width of the squares is lost.
      const std::vector<float> all = random.normals(kBlockRows * width);
      const double lost = relative_error(all, code(id, side, all, width).rows);
      EXPECT_NEAR(lost * lost, 1 - static_cast<double>(rank) / static_cast<double>(width), .08)
          << codec_of(id).name << " width " << width;
    }
  }
}

TEST(Oja, TurnsItsBasisTowardsTheRows) {
  constexpr int64_t kWidth = 64;
  Random random(4);
  for (const CodecId id : {CodecId::kOja75, CodecId::kOja50}) {
    const Codec& codec = codec_of(id);
    const int64_t rank = rank_of(id, kWidth);
    // Rows of a plane of half as many directions, which the first basis does not know.
    const std::vector<float> plane = orthonormal(random, rank / 2, kWidth);
    std::vector<std::byte> side = side_data_of(codec, kWidth, random);
    std::vector<double> errors;
    for (int block = 0; block < 60; ++block) {
      std::vector<float> rows(static_cast<size_t>(kBlockRows * kWidth), 0);
      for (int64_t r = 0; r < kBlockRows; ++r) {
        for (int64_t k = 0; k < rank / 2; ++k) {
          const float share = random.normal();
          for (int64_t i = 0; i < kWidth; ++i) {
            rows[static_cast<size_t>(r * kWidth + i)] += share * plane[k * kWidth + i];
          }
        }
      }
      const Block coded = code(id, side, rows, kWidth);
      errors.push_back(relative_error(rows, coded.rows));
      const SideData next = codec.next_side({.width = kWidth}, coded.bytes.data());
      ASSERT_EQ(std::ssize(next), codec.side_bytes({.width = kWidth}));
      side.assign(next.begin(), next.end());
    }
    EXPECT_LT(errors.back(), errors.front() / 4) << codec.name;
  }
}

TEST(LearntCodecs, TakeTheBytesThatTheySay) {
  struct Expected {
    CodecId id;
    int64_t block_bytes;  // of 128 rows of 64 values
    int64_t side_bytes;
  };
  constexpr int64_t kApart = 82;
  const Expected table[] = {
      {CodecId::kNuq4Keys, 4 * 1024 + 5 * kApart, 4 * (128 + 16)},
      {CodecId::kNuq3Keys, 3 * 1024 + 5 * kApart, 4 * (128 + 8)},
      {CodecId::kNuq2Keys, 2 * 1024 + 5 * kApart, 4 * (128 + 4)},
      {CodecId::kNuq4Values, 4 * 1024 + 8 * 128, 4 * 16},
      {CodecId::kNuq3Values, 3 * 1024 + 8 * 128, 4 * 8},
      {CodecId::kNuq2Values, 2 * 1024 + 8 * 128, 4 * 4},
      {CodecId::kLowRank75, 2 * 128 * 48, 2 * 48 * 64},
      {CodecId::kLowRank50, 2 * 128 * 32, 2 * 32 * 64},
      {CodecId::kOja75, 2 * 128 * 48 + 2 * 48 * 64, 2 * 48 * 64},
      {CodecId::kOja50, 2 * 128 * 32 + 2 * 32 * 64, 2 * 32 * 64},
  };
  size_t learnt = 0;
  for (size_t i = 0; i < kCodecCount; ++i) {
    learnt += codec_of(static_cast<CodecId>(i)).side_bytes != nullptr ? 1 : 0;
  }
  EXPECT_EQ(learnt, std::size(table));
  for (const Expected& expected : table) {
    const Codec& codec = codec_of(expected.id);
    EXPECT_EQ(kBlockRows / codec.group_rows * codec.bytes({.width = 64}), expected.block_bytes)
        << codec.name;
    EXPECT_EQ(codec.side_bytes({.width = 64}), expected.side_bytes) << codec.name;
  }
}

// What may lie in a cache: nothing of it becomes a number that is none, and bytes are the same for
// rows that were coded before.
TEST(LearntCodecs, StayFiniteWhateverTheRowsAre) {
  constexpr int64_t kWidth = 48;
  Random random(5);
  for (size_t i = 0; i < kCodecCount; ++i) {
    const Codec& codec = codec_of(static_cast<CodecId>(i));
    if (codec.side_bytes == nullptr) continue;
    const auto side = side_data_of(codec, kWidth, random);
    for (const float size : {0.0f, 1e-38f, 1e-8f, 1e4f, 60000.0f}) {
      std::vector<float> rows = random.normals(kBlockRows * kWidth, size / 4);
      for (float& value : rows) value = std::clamp(value, -65504.0f, 65504.0f);
      const Block block = code(codec.id, side, rows, kWidth);
      EXPECT_TRUE(std::all_of(block.rows.begin(), block.rows.end(),
                              [](float value) { return std::isfinite(value); }))
          << codec.name << " " << size;
      EXPECT_EQ(code(codec.id, side, rows, kWidth).bytes, block.bytes) << codec.name;
    }
  }
}

TEST(LearntCodecs, DecodeAnyRowsOfAGroup) {
  constexpr int64_t kWidth = 20;
  Random random(6);
  for (size_t i = 0; i < kCodecCount; ++i) {
    const Codec& codec = codec_of(static_cast<CodecId>(i));
    if (codec.side_bytes == nullptr || codec.group_rows == 1) continue;
    const auto side = side_data_of(codec, kWidth, random);
    const std::vector<float> rows = random.normals(kBlockRows * kWidth);
    const Block block = code(codec.id, side, rows, kWidth);
    for (const int64_t begin : {0, 1, 100, 127}) {
      std::vector<float> part(static_cast<size_t>((kBlockRows - begin) * kWidth));
      codec.decode({.width = kWidth}, side, block.bytes.data(), begin, kBlockRows, part.data());
      EXPECT_TRUE(std::equal(part.begin(), part.end(), block.rows.begin() + begin * kWidth))
          << codec.name << " from " << begin;
    }
  }
}

}  // namespace
}  // namespace kvasir::kernels
