#include "calibration/side_data.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "calibration/test_support.h"

namespace kvasir::calibration {
namespace {

using kernels::Codec;
using kernels::CodecId;
using kv::Role;
using testing::numbered_facts;

constexpr int64_t kVectors = 2;
constexpr int64_t kWidth = 8;

kv::SideSource source() {
  Calibration calibration;
  calibration.rows = {numbered_facts(3, RowKind::kKeys, kVectors, kWidth),
                      numbered_facts(3, RowKind::kKeysBeforeRope, kVectors, kWidth),
                      numbered_facts(3, RowKind::kValues, kVectors, kWidth),
                      numbered_facts(4, RowKind::kLatents, 1, 12)};
  calibration.rows[1].means[0] = 99;
  return side_source(std::make_shared<const Calibration>(std::move(calibration)));
}

kv::Stream keys(CodecId codec) {
  return {.role = Role::kKeys, .vectors = kVectors, .width = kWidth, .codec = codec};
}
kv::Stream values(CodecId codec) {
  kv::Stream stream = keys(codec);
  stream.role = Role::kValues;
  return stream;
}

RowFacts facts() { return numbered_facts(3, RowKind::kKeys, kVectors, kWidth); }

template <class T>
std::vector<T> numbers_of(const std::vector<std::byte>& bytes, size_t offset, size_t count) {
  EXPECT_LE(offset + count * sizeof(T), bytes.size());
  std::vector<T> numbers(count);
  std::memcpy(numbers.data(), bytes.data() + offset, count * sizeof(T));
  return numbers;
}

TEST(SideData, OfKeysAreSpansAndACodebook) {
  const std::pair<CodecId, int> kCodecs[] = {
      {CodecId::kNuq4Keys, 4}, {CodecId::kNuq3Keys, 3}, {CodecId::kNuq2Keys, 2}};
  for (const auto& [codec, bits] : kCodecs) {
    const kv::StreamSide side = source()(3, keys(codec)).value();
    const size_t entries = size_t{1} << bits;
    const size_t vector_bytes = (2 * kWidth + entries) * sizeof(float);
    ASSERT_EQ(side.codec.size(), kVectors * vector_bytes);
    EXPECT_TRUE(side.means.empty());
    for (size_t v = 0; v < kVectors; ++v) {
      const auto numbers =
          numbers_of<float>(side.codec, v * vector_bytes, vector_bytes / sizeof(float));
      // Channel i lies between i - 10 and 3 i + 10.
      const auto channel = static_cast<float>(v * kWidth + 5);
      EXPECT_EQ(numbers[5], 2 * channel);
      EXPECT_EQ(numbers[kWidth + 5], channel + 10);
      EXPECT_EQ(
          std::vector<float>(numbers.end() - static_cast<std::ptrdiff_t>(entries), numbers.end()),
          facts().codebook(bits));
    }
  }
}

TEST(SideData, OfValuesAreACodebook) {
  const std::pair<CodecId, int> kCodecs[] = {
      {CodecId::kNuq4Values, 4}, {CodecId::kNuq3Values, 3}, {CodecId::kNuq2Values, 2}};
  for (const auto& [codec, bits] : kCodecs) {
    const kv::StreamSide side = source()(3, values(codec)).value();
    const size_t entries = size_t{1} << bits;
    ASSERT_EQ(side.codec.size(), kVectors * entries * sizeof(float));
    for (size_t v = 0; v < kVectors; ++v) {
      EXPECT_EQ(numbers_of<float>(side.codec, v * entries * sizeof(float), entries),
                facts().codebook(bits));
    }
  }
}

TEST(SideData, OfLowRankAreTheFirstAxes) {
  const std::pair<CodecId, size_t> kCodecs[] = {{CodecId::kLowRank75, 6},
                                                {CodecId::kLowRank50, 4},
                                                {CodecId::kOja75, 6},
                                                {CodecId::kOja50, 4}};
  for (const auto& [codec, rank] : kCodecs) {
    const kv::StreamSide side = source()(3, keys(codec)).value();
    const size_t vector_bytes = rank * kWidth * 2;
    ASSERT_EQ(side.codec.size(), kVectors * vector_bytes);
    for (size_t v = 0; v < kVectors; ++v) {
      const std::vector<uint16_t> all = facts().axes;
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(v * 6 * kWidth);
      EXPECT_EQ(numbers_of<uint16_t>(side.codec, v * vector_bytes, rank * kWidth),
                std::vector<uint16_t>(begin, begin + static_cast<std::ptrdiff_t>(rank * kWidth)));
    }
  }
}

// Whatever codec comes to take side data is known here.
TEST(SideData, AreAsLongAsEveryCodecTakesThem) {
  for (size_t i = 0; i < kernels::kCodecCount; ++i) {
    const Codec& codec = kernels::codec_of(static_cast<CodecId>(i));
    const bool is_of_values = std::string_view(codec.name).ends_with("-values");
    const auto side = source()(3, is_of_values ? values(codec.id) : keys(codec.id));
    ASSERT_TRUE(side.ok()) << codec.name;
    const int64_t bytes = codec.side_bytes == nullptr ? 0 : codec.side_bytes({.width = kWidth});
    EXPECT_EQ(std::ssize(side->codec), kVectors * bytes) << codec.name;
  }
}

TEST(SideData, AreThoseOfTheKindOfRows) {
  kv::Stream stream = keys(CodecId::kInt8Token);
  stream.is_centered = true;
  EXPECT_EQ(source()(3, stream)->means[0], .5f);
  stream.is_before_rope = true;
  EXPECT_EQ(source()(3, stream)->means[0], 99);
  kv::Stream latents{.width = 12, .rope_width = 4, .codec = CodecId::kLowRank50};
  EXPECT_EQ(source()(4, latents)->codec.size(), 6 * 12 * 2u);
}

// Turned rows lose turned means.
TEST(SideData, MeansAreTurnedAsRowsAre) {
  kv::Stream stream = keys(CodecId::kInt8Token);
  stream.is_centered = true;
  EXPECT_EQ(source()(3, stream)->means, facts().means);
  stream.rotation = kv::Rotation::kHadamard;
  const std::vector<float> turned = source()(3, stream)->means;
  for (size_t v = 0; v < kVectors; ++v) {
    // The first of a Hadamard transform is the sum over the root of the width; lengths stay.
    float sum = 0;
    float squares = 0;
    float turned_squares = 0;
    for (size_t i = v * kWidth; i < (v + 1) * kWidth; ++i) {
      sum += facts().means[i];
      squares += facts().means[i] * facts().means[i];
      turned_squares += turned[i] * turned[i];
    }
    EXPECT_NEAR(turned[v * kWidth], sum / std::sqrt(8.0f), 1e-4);
    EXPECT_NEAR(turned_squares, squares, 1e-2);
  }
  stream.rotation = kv::Rotation::kSignedHadamard;
  EXPECT_NE(source()(3, stream)->means, turned);
}

void expect_refused(int64_t layer, const kv::Stream& stream, const std::string& part) {
  const auto side = source()(layer, stream);
  ASSERT_FALSE(side.ok()) << part;
  EXPECT_NE(side.error().message().find(part), std::string::npos) << side.error().message();
}

TEST(SideData, OfAnotherModelAreRefused) {
  expect_refused(5, keys(CodecId::kNuq4Keys),
                 "layer 5, keys, expected 2 x 8 numbers, found nothing");
  kv::Stream wide = values(CodecId::kNuq4Values);
  wide.width = 16;
  expect_refused(3, wide, "layer 3, values, expected 2 x 16 numbers, found 2 x 8 numbers");
  kv::Stream many = keys(CodecId::kNuq4Keys);
  many.vectors = 4;
  expect_refused(3, many, "expected 4 x 8 numbers, found 2 x 8 numbers");
}

}  // namespace
}  // namespace kvasir::calibration
