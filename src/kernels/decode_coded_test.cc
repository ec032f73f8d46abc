// Vectorised readers of coded rows against the scalar codecs: the same values, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/codecs/learnt_support.h"
#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 128;

// Rows of a codec, their bytes, and the values that the scalar codec reads from these.
struct CodedCase {
  std::vector<std::byte> side;
  CodedRows form;
  std::vector<std::byte> coded;
  std::vector<float> expected;
};

CodedCase make_case(const Codec& codec, int64_t width, Random& random) {
  CodedCase made{.side = side_data_of(codec, width, random)};
  made.form = {.codec = codec.id, .shape = {.width = width}, .side = made.side, .row_count = kRows};
  std::vector<float> rows = random.normals(kRows * width);
  // A small row, a large channel, a row of zeros.
  for (int64_t i = 0; i < width; ++i) rows[static_cast<size_t>(i)] *= 0.01f;
  for (int64_t r = 0; r < kRows; ++r) rows[static_cast<size_t>(r * width)] *= 30;
  std::fill_n(rows.begin() + 5 * width, width, 0.0f);
  made.coded.resize(static_cast<size_t>(kRows / codec.group_rows * codec.bytes(made.form.shape)));
  encode_coded(made.form, rows.data(), made.coded.data());
  made.expected.resize(rows.size());
  decode_coded(made.form, made.coded.data(), made.expected.data());
  return made;
}

// Made once for all instruction sets, as what learns takes long to encode.
const std::vector<CodedCase>& coded_cases() {
  static const std::vector<CodedCase> cases = [] {
    Random random(1);
    std::vector<CodedCase> all;
    for (size_t id = kRowFormatCount; id < kCodecCount; ++id) {
      for (const int64_t width : {1, 16, 20, 32, 40, 48, 64, 80, 96, 128, 192, 256, 576})
        all.push_back(make_case(codec_of(static_cast<CodecId>(id)), width, random));
    }
    return all;
  }();
  return cases;
}

class DecodeCoded : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(DecodeCoded);

TEST_P(DecodeCoded, GivesTheScalarCodecsValues) {
  for (const CodedCase& one : coded_cases()) {
    std::vector<float> decoded(one.expected.size());
    table().decode_coded(one.form, one.coded.data(), decoded.data());
    for (size_t i = 0; i < decoded.size(); ++i) {
      ASSERT_EQ(decoded[i], one.expected[i])
          << codec_of(one.form.codec).name << " width " << one.form.shape.width << " at " << i;
    }
  }
}

TEST_P(DecodeCoded, RowsOfFormatsComeFromWhereverTheyLie) {
  Random random(2);
  for (size_t id = 0; id < kRowFormatCount; ++id) {
    const RowFormat format{.codec = static_cast<CodecId>(id), .dim = 96};
    const std::vector<float> rows = random.normals(3 * 96);
    std::vector<std::byte> bytes(static_cast<size_t>(3 * format.bytes()));
    std::vector<const std::byte*> places;
    std::vector<float> expected(rows.size());
    for (int64_t r = 0; r < 3; ++r) {
      std::byte* row = bytes.data() + (2 - r) * format.bytes();
      encode_row(format, rows.data() + r * 96, row);
      decode_row(format, row, expected.data() + r * 96);
      places.push_back(row);
    }
    std::vector<float> decoded(rows.size());
    table().decode_rows(format, places.data(), 3, decoded.data());
    EXPECT_EQ(decoded, expected) << codec_of(format.codec).name;
  }
}

}  // namespace
}  // namespace kvasir::kernels
