// Integer products: what they promise (integer_products.h) against the plain loops, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/panels.h"
#include "kernels/test_support.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::kernels {
namespace {

// A matrix of random codes with scales of middling size.
struct IntegerWeight {
  IntegerWeight(Random& random, const BlockType& type, int64_t rows, int64_t cols) {
    view = {.format = WeightFormat::kBlocks, .rows = rows, .cols = cols, .blocks = &type};
    data.resize(rows * weight_row_bytes(view));
    for (size_t at = 0; at < data.size(); at += type.block_bytes) fill(random, &data[at]);
    view.data = data.data();
  }
  // FP4 with scales beside it.
  IntegerWeight(Random& random, int64_t rows, int64_t cols) {
    view = {
        .format = WeightFormat::kFp4ScaleE8m0, .rows = rows, .cols = cols, .scale_cols = cols / 32};
    data.resize(rows * cols / 2);
    scales.resize(rows * cols / 32);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random.bits());
    for (std::byte& byte : scales) byte = static_cast<std::byte>(random.integer(120, 134));
    view.data = data.data();
    view.scales = scales.data();
  }

  // The same view with its rows in panels.
  WeightMatrix packed() {
    const int64_t bytes = panel_bytes(view);
    panels.resize(panels_bytes(view));
    for (int64_t row = 0; row < view.rows; row += kPanelRows)
      pack_panel(view, row, &panels[row / kPanelRows * bytes]);
    WeightMatrix result = view;
    result.panels = panels.data();
    return result;
  }

  void fill(Random& random, std::byte* block) const {
    std::vector<float> numbers(view.blocks->block_items);
    do {
      for (int64_t i = 0; i < view.blocks->block_bytes; ++i)
        block[i] = static_cast<std::byte>(random.bits());
      view.blocks->decode(block, numbers.data());
    } while (!std::ranges::all_of(numbers, [](float v) { return std::fabs(v) < 1e6F; }));
  }

  WeightMatrix view;
  std::vector<std::byte> data;
  std::vector<std::byte> scales;
  std::vector<uint8_t> panels;
};

std::vector<const BlockType*> coded_types() {
  std::vector<const BlockType*> types;
  for (const BlockType& type : block_types()) {
    if (type.coding != nullptr) types.push_back(&type);
  }
  return types;
}

int64_t random_cols(Random& random, int64_t unit) { return unit * random.integer(1, 1100 / unit); }

// Of every coding, with activations of one byte and of two.
std::vector<IntegerWeight> some_weights(Random& random, int64_t rows_max) {
  std::vector<IntegerWeight> weights;
  for (const int bytes : {1, 2}) {
    const size_t begin = weights.size();
    for (const BlockType* type : coded_types()) {
      weights.emplace_back(random, *type, random.integer(1, rows_max),
                           random_cols(random, type->block_items));
    }
    weights.emplace_back(random, random.integer(1, rows_max), random_cols(random, 32));
    for (size_t i = begin; i < weights.size(); ++i) weights[i].view.activation_bytes = bytes;
  }
  return weights;
}

// Numbers as activations have them: a few large ones, groups of zeros, tiny ones.
std::vector<float> some_activations(Random& random, int64_t size) {
  std::vector<float> x = random.normals(size);
  for (int64_t i = 0; i < size; i += kActivationGroup) {
    const int64_t kind = random.integer(0, 9);
    const float factor = kind == 0 ? 0.0F : kind == 1 ? 1e-38F : kind == 2 ? 1e4F : 1.0F;
    for (int64_t k = i; k < std::min(i + kActivationGroup, size); ++k) x[k] *= factor;
    if (kind == 3) x[i] = 300;
  }
  return x;
}

std::vector<std::byte> rounded(const KernelTable& table, const std::vector<float>& x, int64_t cols,
                               int bytes) {
  const int64_t stride = activations_bytes(cols, bytes);
  const int64_t tokens = std::ssize(x) / cols;
  std::vector<std::byte> groups(tokens * stride);
  for (int64_t t = 0; t < tokens; ++t)
    table.round_activations(&x[t * cols], cols, bytes, &groups[t * stride]);
  return groups;
}

std::vector<float> multiply_integers(const KernelTable& table, const WeightMatrix& weight,
                                     const std::vector<float>& x) {
  const auto token_count = static_cast<int64_t>(x.size()) / weight.cols;
  const std::vector<std::byte> groups = rounded(table, x, weight.cols, weight.activation_bytes);
  std::vector<float> y(token_count * weight.rows);
  std::vector<uint8_t> scratch(panel_bytes(weight));
  table.integer_matmul({.weight = weight,
                        .x = groups.data(),
                        .y = y.data(),
                        .y_stride = weight.rows,
                        .token_count = token_count},
                       0, weight.rows, scratch.data());
  return y;
}

template <int kBytes>
void expect_same_sums(const std::vector<std::byte>& found, const std::vector<std::byte>& expected) {
  constexpr size_t kStride = sizeof(ActivationGroup<kBytes>);
  constexpr size_t kSums = offsetof(ActivationGroup<kBytes>, sums);
  for (size_t at = 0; at < found.size(); at += kStride)
    ASSERT_EQ(std::memcmp(&found[at + kSums], &expected[at + kSums], sizeof(ActivationSums)), 0);
}

class IntegerMatmul : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(IntegerMatmul);

TEST_P(IntegerMatmul, RoundsActivationsLikeThePlainLoops) {
  Random random(1);
  const std::vector<float> x = some_activations(random, 3200);
  expect_same_sums<1>(rounded(table(), x, 3200, 1), rounded(ref(), x, 3200, 1));
  expect_same_sums<2>(rounded(table(), x, 3200, 2), rounded(ref(), x, 3200, 2));
}

TEST_P(IntegerMatmul, HasTheBitsOfThePlainLoops) {
  Random random(2);
  for (IntegerWeight& weight : some_weights(random, 70)) {
    for (const int64_t tokens : {1, 2, 3, 7, 8, 19}) {
      const std::vector<float> x = some_activations(random, tokens * weight.view.cols);
      const std::vector<float> expected = multiply_integers(ref(), weight.view, x);
      ASSERT_NO_FATAL_FAILURE(
          expect_same_bits(multiply_integers(table(), weight.view, x), expected));
      ASSERT_NO_FATAL_FAILURE(
          expect_same_bits(multiply_integers(table(), weight.packed(), x), expected));
    }
  }
}

// Against products of the decoded numbers: what rounding activations takes away, at most half of
// an integer of a group's largest.
TEST_P(IntegerMatmul, IsNearTheProductOfNumbers) {
  Random random(3);
  for (IntegerWeight& weight : some_weights(random, 20)) {
    const int64_t cols = weight.view.cols;
    const std::vector<float> x = random.normals(4 * cols);
    const std::vector<float> y = multiply_integers(table(), weight.packed(), x);
    const double worst = weight.view.activation_bytes == 1 ? 1.6e-2 : 6e-5;
    std::vector<float> numbers(cols);
    for (int64_t row = 0; row < weight.view.rows; ++row) {
      decode_weight_row(weight.view, row, numbers.data());
      for (int64_t t = 0; t < 4; ++t) {
        double exact = 0;
        for (int64_t k = 0; k < cols; ++k) exact += double{numbers[k]} * x[t * cols + k];
        const double bound = worst * magnitude_sum(numbers, &x[t * cols]);
        ASSERT_LE(std::fabs(y[t * weight.view.rows + row] - exact), bound);
      }
    }
  }
}

TEST_P(IntegerMatmul, SameBitsHoweverItIsCut) {
  Random random(4);
  for (IntegerWeight& weight : some_weights(random, 90)) {
    const WeightMatrix view = random.integer(0, 1) != 0 ? weight.packed() : weight.view;
    const int64_t tokens = random.integer(1, 30);
    const std::vector<float> x = some_activations(random, tokens * view.cols);
    const std::vector<float> whole = multiply_integers(table(), view, x);
    const std::vector<std::byte> groups = rounded(table(), x, view.cols, view.activation_bytes);
    std::vector<uint8_t> scratch(panel_bytes(view));
    std::vector<float> y(whole.size());
    const std::vector<int64_t> cuts = random_cuts(random, tokens);
    const int64_t panels = (view.rows + kPanelRows - 1) / kPanelRows;
    const std::vector<int64_t> panel_cuts = random_cuts(random, panels);
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const IntegerMatmulArgs args{
          .weight = view,
          .x = &groups[cuts[i] * activations_bytes(view.cols, view.activation_bytes)],
          .y = &y[cuts[i] * view.rows],
          .y_stride = view.rows,
          .token_count = cuts[i + 1] - cuts[i]};
      for (size_t j = 0; j + 1 < panel_cuts.size(); ++j) {
        table().integer_matmul(args, panel_cuts[j] * kPanelRows,
                               std::min(view.rows, panel_cuts[j + 1] * kPanelRows), scratch.data());
      }
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(y, whole));
  }
}

// A slice that begins with a panel is that part of the product.
TEST_P(IntegerMatmul, SlicesKeepTheirPanels) {
  Random random(5);
  for (IntegerWeight& weight : some_weights(random, 90)) {
    const WeightMatrix packed = weight.packed();
    const int64_t begin = packed.rows / (2 * kPanelRows) * kPanelRows;
    const std::vector<float> x = random.normals(2 * packed.cols);
    const std::vector<float> whole = multiply_integers(table(), packed, x);
    const std::vector<float> part =
        multiply_integers(table(), slice_rows(packed, begin, packed.rows - begin), x);
    std::vector<float> expected;
    for (int64_t t = 0; t < 2; ++t) {
      const auto row = whole.begin() + t * packed.rows;
      expected.insert(expected.end(), row + begin, row + packed.rows);
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(part, expected));
  }
}

}  // namespace
}  // namespace kvasir::kernels
