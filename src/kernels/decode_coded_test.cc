// Vectorised readers of coded rows against the scalar codecs: the same values, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/codecs/learnt_support.h"
#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

class DecodeCoded : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(DecodeCoded);

TEST_P(DecodeCoded, GivesTheScalarCodecsValues) {
  constexpr int64_t kRows = 128;
  Random random(1);
  for (size_t id = kRowFormatCount; id < kCodecCount; ++id) {
    const Codec& codec = codec_of(static_cast<CodecId>(id));
    for (const int64_t width : {1, 16, 20, 32, 48, 64, 80, 96, 128, 192, 256, 576}) {
      const std::vector<std::byte> side = side_data_of(codec, width, random);
      const CodedRows form{
          .codec = codec.id, .shape = {.width = width}, .side = side, .row_count = kRows};
      std::vector<float> rows = random.normals(kRows * width);
      // A small row, a large channel, a row of zeros.
      for (int64_t i = 0; i < width; ++i) rows[static_cast<size_t>(i)] *= 0.01f;
      for (int64_t r = 0; r < kRows; ++r) rows[static_cast<size_t>(r * width)] *= 30;
      std::fill_n(rows.begin() + 5 * width, width, 0.0f);
      const int64_t bytes = kRows / codec.group_rows * codec.bytes(form.shape);
      std::vector<std::byte> coded(static_cast<size_t>(bytes));
      encode_coded(form, rows.data(), coded.data());
      std::vector<float> expected(rows.size());
      decode_coded(form, coded.data(), expected.data());
      std::vector<float> decoded(rows.size());
      table().decode_coded(form, coded.data(), decoded.data());
      for (size_t i = 0; i < rows.size(); ++i) {
        ASSERT_EQ(decoded[i], expected[i]) << codec.name << " width " << width << " at " << i;
      }
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
