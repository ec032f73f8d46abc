// Products of matrices that are stored in block types.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/test_support.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::kernels {
namespace {

std::vector<const BlockType*> types_of_blocks() {
  std::vector<const BlockType*> types;
  for (const BlockType& type : block_types()) {
    if (type.block_items > 1) types.push_back(&type);
  }
  return types;
}

// Any bytes that decode to numbers of middling size.
void fill_block(Random& random, const BlockType& type, std::byte* block) {
  std::vector<float> numbers(type.block_items);
  do {
    for (int64_t i = 0; i < type.block_bytes; ++i) block[i] = static_cast<std::byte>(random.bits());
    type.decode(block, numbers.data());
  } while (!std::ranges::all_of(numbers, [](float v) { return std::fabs(v) < 1e6F; }));
}

struct BlockWeight {
  BlockWeight(Random& random, const BlockType& type, int64_t rows, int64_t cols) {
    view = {.format = WeightFormat::kBlocks, .rows = rows, .cols = cols, .blocks = &type};
    data.resize(rows * weight_row_bytes(view));
    for (size_t at = 0; at < data.size(); at += type.block_bytes)
      fill_block(random, type, &data[at]);
    view.data = data.data();
  }

  std::vector<float> row(int64_t index) const {
    std::vector<float> numbers(view.cols);
    decode_weight_row(view, index, numbers.data());
    return numbers;
  }

  std::vector<std::byte> data;
  WeightMatrix view;
};

// Whole blocks, up to some more columns than are summed at once.
int64_t random_cols(Random& random, const BlockType& type) {
  return type.block_items * random.integer(1, 1100 / type.block_items);
}

// Tokens that are 1 at one column each.
std::vector<float> unit_tokens(int64_t cols) {
  std::vector<float> tokens(cols * cols);
  for (int64_t k = 0; k < cols; ++k) tokens[k * cols + k] = 1;
  return tokens;
}

class BlockMatmul : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(BlockMatmul);

TEST_P(BlockMatmul, AgreesWithRefToTwoMillionthsOfTheProducts) {
  Random random(1);
  for (const BlockType* type : types_of_blocks()) {
    for (const int64_t tokens : {1, 2, 5, 9}) {
      const BlockWeight weight(random, *type, random.integer(1, 40), random_cols(random, *type));
      const int64_t cols = weight.view.cols;
      const std::vector<float> x = random.normals(tokens * cols);
      const std::vector<float> y = multiply(table(), weight.view, x);
      const std::vector<float> expected = multiply(ref(), weight.view, x);
      for (size_t i = 0; i < y.size(); ++i) {
        const int64_t o = static_cast<int64_t>(i) % weight.view.rows;
        const int64_t t = static_cast<int64_t>(i) / weight.view.rows;
        const double bound = 2e-6 * magnitude_sum(weight.row(o), x.data() + t * cols);
        ASSERT_LE(std::fabs(double{y[i]} - expected[i]), bound) << type->name;
      }
    }
  }
}

// With unit vectors as tokens the product is the matrix itself, for one token as for many.
TEST_P(BlockMatmul, DecodesEveryNumberLikeThePlainDecoder) {
  Random random(2);
  for (const BlockType* type : types_of_blocks()) {
    const int64_t rows = 11;
    const int64_t cols = 512 + 256;
    const BlockWeight weight(random, *type, rows, cols);
    const std::vector<float> tokens = unit_tokens(cols);
    std::vector<float> expected(cols * rows);
    for (int64_t o = 0; o < rows; ++o) {
      const std::vector<float> row = weight.row(o);
      for (int64_t k = 0; k < cols; ++k) expected[k * rows + o] = row[k];
    }
    ASSERT_EQ(multiply(table(), weight.view, tokens), expected) << type->name;
    for (int64_t k = 0; k < cols; k += 23) {
      const auto token = tokens.begin() + k * cols;
      const auto column = expected.begin() + k * rows;
      ASSERT_EQ(multiply(table(), weight.view, {token, token + cols}),
                std::vector<float>(column, column + rows))
          << type->name;
    }
  }
}

// Tokens and rows in pieces of every size, at other addresses: not one bit changes.
TEST_P(BlockMatmul, SameBitsHoweverItIsCut) {
  Random random(3);
  for (const BlockType* type : types_of_blocks()) {
    for (const int64_t tokens : {1, 2, 3, 4, 5, 6, 64}) {
      const int64_t rows = random.integer(1, 80);
      const BlockWeight weight(random, *type, rows, random_cols(random, *type));
      const int64_t cols = weight.view.cols;
      const std::vector<float> x = random.normals(tokens * cols);
      const std::vector<float> whole = multiply(table(), weight.view, x);

      Placed<std::byte> data(weight.data, random.integer(0, 63));
      Placed<float> placed_x(x, random.integer(0, 15));
      Placed<float> scratch(std::vector<float>(matmul_scratch_floats(cols)), random.integer(0, 15));
      WeightMatrix view = weight.view;
      view.data = data.data();
      std::vector<float> y(tokens * rows);
      const std::vector<int64_t> row_cuts = random_cuts(random, rows);
      const std::vector<int64_t> token_cuts = random_cuts(random, tokens);
      for (size_t i = 0; i + 1 < token_cuts.size(); ++i) {
        const MatmulArgs args{.weight = view,
                              .x = placed_x.data() + token_cuts[i] * cols,
                              .x_stride = cols,
                              .y = y.data() + token_cuts[i] * rows,
                              .y_stride = rows,
                              .token_count = token_cuts[i + 1] - token_cuts[i]};
        for (size_t j = 0; j + 1 < row_cuts.size(); ++j)
          table().matmul(args, row_cuts[j], row_cuts[j + 1], scratch.data());
      }
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(y, whole)) << type->name;
    }
  }
}

// A block type and the plain numbers it stands for give the same bits.
TEST_P(BlockMatmul, SameBitsAsDecodedFirst) {
  Random random(4);
  for (const BlockType* type : types_of_blocks()) {
    for (const int64_t tokens : {1, 3, 7}) {
      const BlockWeight weight(random, *type, 19, random_cols(random, *type));
      std::vector<float> floats;
      for (int64_t o = 0; o < weight.view.rows; ++o) {
        const std::vector<float> row = weight.row(o);
        floats.insert(floats.end(), row.begin(), row.end());
      }
      const WeightMatrix plain{.rows = weight.view.rows,
                               .cols = weight.view.cols,
                               .data = reinterpret_cast<const std::byte*>(floats.data())};
      const std::vector<float> x = random.normals(tokens * plain.cols);
      ASSERT_NO_FATAL_FAILURE(
          expect_same_bits(multiply(table(), weight.view, x), multiply(table(), plain, x)))
          << type->name;
    }
  }
}

}  // namespace
}  // namespace kvasir::kernels
