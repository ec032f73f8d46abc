#include <gtest/gtest.h>

#include "kernels/test_support.h"
#include "kernels/unaligned.h"
#include "numeric/bf16.h"

namespace kvasir::kernels {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kF32,         WeightFormat::kF16,
                                     WeightFormat::kBf16,        WeightFormat::kFp8ScaleE8m0,
                                     WeightFormat::kFp8ScaleF32, WeightFormat::kInt8ScaleF32,
                                     WeightFormat::kFp4ScaleE8m0};

struct OwnedWeight {
  std::vector<std::byte> data;
  std::vector<std::byte> scales;
  WeightMatrix view;
};

bool is_fp8(WeightFormat format) {
  return format == WeightFormat::kFp8ScaleE8m0 || format == WeightFormat::kFp8ScaleF32;
}

bool has_float_tiles(WeightFormat format) {
  return format == WeightFormat::kFp8ScaleF32 || format == WeightFormat::kInt8ScaleF32;
}

bool has_tiles(WeightFormat format) {
  return format == WeightFormat::kFp8ScaleE8m0 || has_float_tiles(format);
}

// Blocks of any size that is taken, a scale for each row, or one for all.
void choose_tiles(Random& random, WeightMatrix& view) {
  constexpr int64_t kRows[] = {128, 1, 3, 64, 1 << 20};
  constexpr int64_t kCols[] = {128, 16, 32, 64, 256, 1 << 20};
  view.tile_rows = kRows[random.integer(0, 4)];
  view.tile_cols = kCols[random.integer(0, 5)];
}

void fill_codes(Random& random, OwnedWeight& weight) {
  std::vector<std::byte>& data = weight.data;
  const auto size = static_cast<int64_t>(data.size());
  switch (weight.view.format) {
    case WeightFormat::kF32:
      for (int64_t i = 0; i < size; i += 4) store_unaligned(&data[i], random.normal());
      break;
    case WeightFormat::kF16:
      // Any finite half, subnormals included.
      for (int64_t i = 0; i < size; i += 2)
        store_unaligned(&data[i], static_cast<uint16_t>(random.bits() & 0xbfff));
      break;
    case WeightFormat::kBf16:
      for (int64_t i = 0; i < size; i += 2) store_unaligned(&data[i], bf16_encode(random.normal()));
      break;
    default:
      for (std::byte& code : data) {
        code = static_cast<std::byte>(random.bits());
        if (is_fp8(weight.view.format) && (code & std::byte{0x7f}) == std::byte{0x7f})
          code ^= std::byte{1};
      }
  }
}

void fill_scales(Random& random, OwnedWeight& weight) {
  WeightMatrix& view = weight.view;
  int64_t scale_rows = 0;
  if (has_tiles(view.format)) {
    if (has_float_tiles(view.format)) choose_tiles(random, view);
    view.scale_row_offset = random.integer(0, 200);
    view.scale_cols = (view.cols + view.tile_cols - 1) / view.tile_cols;
    scale_rows = (view.scale_row_offset + view.rows * view.row_step - 1) / view.tile_rows + 1;
  } else if (view.format == WeightFormat::kFp4ScaleE8m0) {
    view.scale_row_offset = random.integer(0, 3);
    view.scale_cols = (view.cols + 31) / 32;
    scale_rows = view.scale_row_offset + view.rows * view.row_step;
  }
  for (int64_t i = 0; i < scale_rows * view.scale_cols; ++i) {
    if (has_float_tiles(view.format)) {
      const float scale = std::exp(random.normal());
      weight.scales.resize(weight.scales.size() + 4);
      store_unaligned(&weight.scales[4 * i], scale);
    } else {
      weight.scales.push_back(static_cast<std::byte>(random.integer(118, 130)));
    }
  }
}

OwnedWeight make_weight(Random& random, WeightFormat format, int64_t rows, int64_t cols) {
  OwnedWeight weight;
  weight.view = {.format = format, .rows = rows, .cols = cols};
  weight.view.row_step = random.integer(1, 2);
  weight.data.resize(rows * weight.view.row_step * weight_row_bytes(weight.view));
  fill_codes(random, weight);
  fill_scales(random, weight);
  weight.view.data = weight.data.data();
  weight.view.scales = weight.scales.data();
  return weight;
}

class Matmul : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(Matmul);

TEST_P(Matmul, AgreesWithRefToTwoMillionthsOfTheProducts) {
  Random random(1);
  for (const WeightFormat format : kFormats) {
    for (int round = 0; round < 25; ++round) {
      const int64_t rows = random.integer(1, 70);
      const int64_t cols = random.integer(1, round % 2 == 0 ? 70 : 700);
      const OwnedWeight weight = make_weight(random, format, rows, cols);
      const std::vector<float> x = random.normals(random.integer(1, 15) * cols);
      const std::vector<float> y = multiply(table(), weight.view, x);
      const std::vector<float> expected = multiply(ref(), weight.view, x);
      std::vector<float> row(cols);
      for (int64_t o = 0; o < rows; ++o) {
        decode_weight_row(weight.view, o, row.data());
        for (size_t t = 0; t < x.size() / cols; ++t) {
          const double bound = 2e-6 * magnitude_sum(row, x.data() + t * cols);
          ASSERT_LE(std::fabs(double{y[t * rows + o]} - expected[t * rows + o]), bound)
              << "format " << static_cast<int>(format) << " rows " << rows << " cols " << cols;
        }
      }
    }
  }
}

// With unit vectors as tokens the product is the matrix itself: decoding is exact or rounded once.
TEST_P(Matmul, DecodesEveryElementLikeTheScalarOracle) {
  Random random(2);
  for (const WeightFormat format : kFormats) {
    const int64_t rows = 21;
    const int64_t cols = 300;
    const OwnedWeight weight = make_weight(random, format, rows, cols);
    std::vector<float> expected(cols);
    for (int64_t column = 0; column < cols; ++column) {
      std::vector<float> x(cols);
      x[column] = 1;
      const std::vector<float> one_token = multiply(table(), weight.view, x);
      for (int64_t o = 0; o < rows; ++o) {
        decode_weight_row(weight.view, o, expected.data());
        ASSERT_EQ(one_token[o], expected[column]);
      }
    }
  }
}

TEST_P(Matmul, HoldsFp8ScalesOfAnyMagnitude) {
  Random random(4);
  for (const int scale : {0, 1, 60, 133, 134, 135, 180, 240}) {
    OwnedWeight weight = make_weight(random, WeightFormat::kFp8ScaleE8m0, 9, 130);
    for (std::byte& code : weight.scales) code = static_cast<std::byte>(scale);
    std::vector<float> expected(130);
    for (const int64_t column : {0, 77, 129}) {
      std::vector<float> x(130);
      x[column] = 1;
      const std::vector<float> y = multiply(table(), weight.view, x);
      for (int64_t o = 0; o < 9; ++o) {
        decode_weight_row(weight.view, o, expected.data());
        ASSERT_EQ(y[o], expected[column]) << "scale byte " << scale;
      }
    }
  }
}

// Decoding few tokens may move scales around; it must not where that would round or overflow.
TEST_P(Matmul, SameBitsForTokensOfAnyMagnitude) {
  Random random(5);
  const int64_t cols = 200;
  for (const int exponent : {-149, -140, -127, -101, -90, 0, 6, 7, 8, 30, 100}) {
    const OwnedWeight weight = make_weight(random, WeightFormat::kFp8ScaleE8m0, 40, cols);
    std::vector<float> x(8 * cols);
    for (float& value : x) value = std::ldexp(random.normal(), exponent);
    const std::vector<float> whole = multiply(table(), weight.view, x);
    for (int64_t t = 0; t < 8; ++t) {
      const std::vector<float> token(x.begin() + t * cols, x.begin() + (t + 1) * cols);
      const std::vector<float> alone = multiply(table(), weight.view, token);
      const auto begin = whole.begin() + t * 40;
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(alone, {begin, begin + 40})) << exponent;
    }
  }
}

// Tokens and rows in pieces of every size, at other addresses and strides: not one bit changes.
TEST_P(Matmul, SameBitsHoweverItIsCut) {
  Random random(3);
  for (const WeightFormat format : kFormats) {
    for (int round = 0; round < 18; ++round) {
      const int64_t rows = random.integer(1, 100);
      // Whole vectors of few columns are summed in another way where tokens are many.
      const int64_t cols = round % 3 == 0 ? 16 * random.integer(1, 14) : random.integer(1, 500);
      const int64_t tokens = random.integer(1, 33);
      const OwnedWeight weight = make_weight(random, format, rows, cols);
      const std::vector<float> x = random.normals(tokens * cols);
      const std::vector<float> whole = multiply(table(), weight.view, x);

      Placed<std::byte> data(weight.data, random.integer(0, 63));
      Placed<std::byte> scales(weight.scales, random.integer(0, 63));
      Placed<float> placed_x(x, random.integer(0, 15));
      Placed<float> scratch(std::vector<float>(matmul_scratch_floats(cols)), random.integer(0, 15));
      WeightMatrix view = weight.view;
      view.data = data.data();
      view.scales = scales.data();
      const int64_t y_stride = rows + random.integer(0, 9);
      std::vector<float> y(tokens * y_stride);
      const std::vector<int64_t> token_cuts = random_cuts(random, tokens);
      const std::vector<int64_t> row_cuts = random_cuts(random, rows);
      for (size_t i = 0; i + 1 < token_cuts.size(); ++i) {
        const MatmulArgs args{.weight = view,
                              .x = placed_x.data() + token_cuts[i] * cols,
                              .x_stride = cols,
                              .y = y.data() + token_cuts[i] * y_stride,
                              .y_stride = y_stride,
                              .token_count = token_cuts[i + 1] - token_cuts[i]};
        for (size_t j = 0; j + 1 < row_cuts.size(); ++j)
          table().matmul(args, row_cuts[j], row_cuts[j + 1], scratch.data());
      }
      std::vector<float> pieces;
      for (int64_t t = 0; t < tokens; ++t)
        pieces.insert(pieces.end(), &y[t * y_stride], &y[t * y_stride] + rows);
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(pieces, whole));
    }
  }
}

// Of matrices with few tokens and long rows, rows are read that lie far apart.
TEST_P(Matmul, SameBitsForARowAloneAndAmongMany) {
  Random random(9);
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kBf16}) {
    for (const int64_t token_count : {1, 2, 3, 4}) {
      const int64_t rows = random.integer(150, 160);
      const int64_t cols = random.integer(600, 1000);
      const OwnedWeight weight = make_weight(random, format, rows, cols);
      const std::vector<float> x = random.normals(token_count * cols);
      const std::vector<float> together = multiply(table(), weight.view, x);
      for (int64_t row = 0; row < rows; ++row) {
        const std::vector<float> alone = multiply(table(), slice_rows(weight.view, row, 1), x);
        for (int64_t t = 0; t < token_count; ++t) {
          ASSERT_EQ(together[t * rows + row], alone[t])
              << "format " << static_cast<int>(format) << " row " << row << " token " << t;
        }
      }
    }
  }
}

TEST(WeightMatrix, DecodesSlicesThatBeginInsideATile) {
  const int64_t cols = 256;
  std::vector<std::byte> data(3 * cols, std::byte{0x38});
  std::vector<std::byte> scales = {std::byte{127}, std::byte{128}, std::byte{129}, std::byte{130}};
  const WeightMatrix weight{.format = WeightFormat::kFp8ScaleE8m0,
                            .rows = 3,
                            .cols = cols,
                            .data = data.data(),
                            .scales = scales.data(),
                            .scale_row_offset = 126,
                            .scale_cols = 2};
  std::vector<float> row(cols);
  decode_weight_row(weight, 1, row.data());
  EXPECT_EQ(row[127], 1.0f);
  EXPECT_EQ(row[128], 2.0f);
  decode_weight_row(weight, 2, row.data());
  EXPECT_EQ(row[0], 4.0f);
  EXPECT_EQ(row[255], 8.0f);
}

}  // namespace
}  // namespace kvasir::kernels
