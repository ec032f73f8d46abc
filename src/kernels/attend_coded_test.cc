// Attention over coded blocks against the plain loops, which decode them first; and the same bits
// whatever queries share the call.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/instruction_sets.h"
#include "kernels/test_support.h"
#include "kernels/unaligned.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 128;

struct CodecPair {
  CodecId keys;
  CodecId values;
};
constexpr CodecPair kCodecs[] = {{CodecId::kKvarn4Keys, CodecId::kKvarn4Values},
                                 {CodecId::kInt8Token, CodecId::kInt8Token}};

struct Attended {
  std::vector<float> out;
  std::vector<float> maxima;
  std::vector<float> sums;
  bool operator==(const Attended&) const = default;
};

class AttendCoded : public KernelTest {
 protected:
  void make(const CodecPair& codecs, int64_t key_width, int64_t value_width, Random& random) {
    keys_ = {.codec = codecs.keys, .shape = {.width = key_width}, .row_count = kRows};
    values_ = {.codec = codecs.values, .shape = {.width = value_width}, .row_count = kRows};
    ASSERT_TRUE(can_attend_coded(keys_, values_));
    key_codes_ = coded(keys_, random);
    value_codes_ = coded(values_, random);
    queries_ = random.normals(kQueries * key_width);
  }

  Attended attend(const KernelTable& kernels, int64_t first, int64_t count, float soft_cap) const {
    const int64_t key_width = keys_.shape.width;
    const int64_t value_width = values_.shape.width;
    Attended attended{std::vector<float>(static_cast<size_t>(count * value_width)),
                      std::vector<float>(static_cast<size_t>(count)),
                      std::vector<float>(static_cast<size_t>(count))};
    std::vector<float> scratch(
        static_cast<size_t>(attend_coded_scratch_floats(key_width, value_width)));
    kernels.attend_coded({.keys = keys_,
                          .key_codes = key_codes_.data(),
                          .values = values_,
                          .value_codes = value_codes_.data(),
                          .q = queries_.data() + first * key_width,
                          .query_count = count,
                          .scale = 0.2f,
                          .soft_cap = soft_cap,
                          .out = attended.out.data(),
                          .maxima = attended.maxima.data(),
                          .sums = attended.sums.data(),
                          .scratch = scratch.data()});
    return attended;
  }

  static constexpr int64_t kQueries = 15;

 private:
  static std::vector<std::byte> coded(const CodedRows& form, Random& random) {
    std::vector<float> rows = random.normals(kRows * form.shape.width);
    for (int64_t r = 0; r < kRows; ++r) rows[static_cast<size_t>(r * form.shape.width + 3)] *= 9;
    const Codec& codec = codec_of(form.codec);
    std::vector<std::byte> codes(
        static_cast<size_t>(kRows / codec.group_rows * codec.bytes(form.shape)));
    encode_coded(form, rows.data(), codes.data());
    return codes;
  }

  CodedRows keys_;
  CodedRows values_;
  std::vector<std::byte> key_codes_;
  std::vector<std::byte> value_codes_;
  std::vector<float> queries_;
};
KVASIR_INSTANTIATE_KERNEL_TESTS(AttendCoded);

void expect_near(const std::vector<float>& found, const std::vector<float>& expected,
                 double tolerance, const char* what) {
  double error = 0;
  double all = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    error += std::pow(found[i] - expected[i], 2);
    all += std::pow(expected[i], 2);
  }
  EXPECT_LT(std::sqrt(error / all), tolerance) << what;
}

// Integers of 16 bits are a part in 65,000 of the largest off, which a large channel decides.
TEST_P(AttendCoded, IsAttentionOverTheDecodedRows) {
  Random random(1);
  const KernelTable& plain = reference_set().table;
  for (const CodecPair& codecs : kCodecs) {
    for (const auto& [key_width, value_width] :
         {std::pair<int64_t, int64_t>{64, 64}, {16, 48}, {128, 128}, {96, 64}, {256, 16}}) {
      make(codecs, key_width, value_width, random);
      for (const float soft_cap : {0.0f, 3.0f}) {
        const Attended expected = attend(plain, 0, kQueries, soft_cap);
        const Attended found = attend(table(), 0, kQueries, soft_cap);
        expect_near(found.maxima, expected.maxima, 2e-4, "maxima");
        expect_near(found.sums, expected.sums, 1e-3, "sums");
        expect_near(found.out, expected.out, 1e-3, "sums of values");
      }
    }
  }
}

TEST_P(AttendCoded, HasTheSameBitsWhateverQueriesShareTheCall) {
  Random random(2);
  for (const CodecPair& codecs : kCodecs) {
    make(codecs, 64, 64, random);
    const Attended whole = attend(table(), 0, kQueries, 0);
    for (int64_t first = 0; first < kQueries; ++first) {
      for (const int64_t count : {int64_t{1}, int64_t{2}, kQueries - first}) {
        if (first + count > kQueries) continue;
        const Attended part = attend(table(), first, count, 0);
        EXPECT_TRUE(
            std::equal(part.maxima.begin(), part.maxima.end(), whole.maxima.begin() + first));
        EXPECT_TRUE(std::equal(part.sums.begin(), part.sums.end(), whole.sums.begin() + first));
        EXPECT_TRUE(std::equal(part.out.begin(), part.out.end(), whole.out.begin() + first * 64));
      }
    }
  }
}

// The largest products that there are, all of one sign, and the smallest code, which no encoder
// writes.
TEST_P(AttendCoded, SumsOfTheWidestKeysFit) {
  constexpr int64_t kWidth = 512;
  constexpr uint16_t kHalfOfOne = 0x3c00;
  const CodedRows keys = {
      .codec = CodecId::kInt8Token, .shape = {.width = kWidth}, .row_count = kRows};
  const CodedRows values = {
      .codec = CodecId::kInt8Token, .shape = {.width = 16}, .row_count = kRows};
  ASSERT_TRUE(can_attend_coded(keys, values));
  const auto rows_of = [](int64_t width) {
    std::vector<std::byte> codes(static_cast<size_t>(kRows * (width + 2)), std::byte{0x80});
    for (int64_t r = 1; r <= kRows; ++r) {
      store_unaligned(codes.data() + r * (width + 2) - 2, kHalfOfOne);
    }
    return codes;
  };
  const std::vector<std::byte> key_codes = rows_of(kWidth);
  const std::vector<std::byte> value_codes = rows_of(16);
  const std::vector<float> query(kWidth, -1.0f);
  std::vector<float> scratch(static_cast<size_t>(attend_coded_scratch_floats(kWidth, 16)));
  std::vector<float> out(16);
  float maximum = 0;
  float sum = 0;
  table().attend_coded({.keys = keys,
                        .key_codes = key_codes.data(),
                        .values = values,
                        .value_codes = value_codes.data(),
                        .q = query.data(),
                        .query_count = 1,
                        .scale = 0x1p-10f,
                        .out = out.data(),
                        .maxima = &maximum,
                        .sums = &sum,
                        .scratch = scratch.data()});
  EXPECT_NEAR(maximum, 64, 1e-4);
  EXPECT_NEAR(sum, kRows, 1e-3);
  for (const float value : out) EXPECT_NEAR(value, -128.0f * kRows, 1);
}

TEST(CanAttendCoded, TakesPairsOfItsCodecsAlone) {
  const auto rows = [](CodecId codec, int64_t width) {
    return CodedRows{.codec = codec, .shape = {.width = width}, .row_count = kRows};
  };
  const CodecId bytes = CodecId::kInt8Token;
  EXPECT_TRUE(can_attend_coded(rows(bytes, 512), rows(bytes, 2048)));
  EXPECT_FALSE(can_attend_coded(rows(bytes, 528), rows(bytes, 64)));
  EXPECT_FALSE(can_attend_coded(rows(bytes, 64), rows(bytes, 72)));
  EXPECT_FALSE(can_attend_coded(rows(bytes, 64), rows(CodecId::kKvarn4Values, 64)));
  EXPECT_FALSE(can_attend_coded(rows(CodecId::kKvarn4Keys, 64), rows(bytes, 64)));
}

}  // namespace
}  // namespace kvasir::kernels
