// The kernel tests share this: seeded data, exact-size copies at odd addresses, comparisons.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/instruction_sets.h"

namespace kvasir::kernels {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  float normal() { return normal_(engine_); }
  // In [low, high].
  int64_t integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  uint32_t bits() { return static_cast<uint32_t>(engine_()); }

  std::vector<float> normals(int64_t size, float scale = 1) {
    std::vector<float> values(size);
    for (float& value : values) value = normal() * scale;
    return values;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

// A copy that begins some elements into its allocation and ends with it, so that the address
// sanitizer sees any read beyond the end.
template <class T>
class Placed {
 public:
  Placed(const std::vector<T>& source, int64_t offset)
      : storage_(source.size() + offset), offset_(offset) {
    storage_.shrink_to_fit();
    if (!source.empty()) std::memcpy(data(), source.data(), source.size() * sizeof(T));
  }

  T* data() { return storage_.data() + offset_; }

 private:
  std::vector<T> storage_;
  int64_t offset_;
};

// [0, size) cut at random places, as ascending bounds that include both ends.
inline std::vector<int64_t> random_cuts(Random& random, int64_t size) {
  std::vector<int64_t> bounds{0};
  while (bounds.back() < size) {
    bounds.push_back(bounds.back() + random.integer(1, size - bounds.back()));
  }
  return bounds;
}

inline void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::memcmp(&a[i], &b[i], sizeof(float)), 0)
        << "at " << i << ": " << a[i] << " and " << b[i];
  }
}

// Every |a - b| <= tolerance * max(1, |b|).
inline void expect_close(const std::vector<float>& a, const std::vector<float>& b,
                         double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_LE(std::fabs(double{a[i]} - b[i]), tolerance * std::max(1.0, std::fabs(double{b[i]})))
        << "at " << i << ": " << a[i] << " and " << b[i];
  }
}

// W x of tokens back to back.
inline std::vector<float> multiply(const KernelTable& table, const WeightMatrix& weight,
                                   const std::vector<float>& x) {
  const auto token_count = static_cast<int64_t>(x.size()) / weight.cols;
  std::vector<float> y(token_count * weight.rows);
  std::vector<float> scratch(matmul_scratch_floats(weight.cols));
  table.matmul({.weight = weight,
                .x = x.data(),
                .x_stride = weight.cols,
                .y = y.data(),
                .y_stride = weight.rows,
                .token_count = token_count},
               0, weight.rows, scratch.data());
  return y;
}

// The sum of the products' magnitudes, the yardstick of rounding errors.
inline double magnitude_sum(const std::vector<float>& row, const float* x) {
  double sum = 0;
  for (size_t i = 0; i < row.size(); ++i) sum += std::fabs(double{row[i]} * x[i]);
  return sum;
}

// One test for the plain loops and each instruction set of this build; this processor may lack
// some.
class KernelTest : public testing::TestWithParam<const InstructionSet*> {
 protected:
  void SetUp() override {
    if (!GetParam()->is_supported()) GTEST_SKIP() << "this processor lacks " << table().name;
  }
  const KernelTable& table() const { return GetParam()->table; }
  const KernelTable& ref() const { return reference_set().table; }
};

inline std::vector<const InstructionSet*> all_instruction_sets() {
  std::vector<const InstructionSet*> sets{&reference_set()};
  for (const InstructionSet& set : instruction_sets()) sets.push_back(&set);
  return sets;
}

inline std::string name_of(const testing::TestParamInfo<const InstructionSet*>& info) {
  return info.param->table.name;
}

}  // namespace kvasir::kernels

#define KVASIR_INSTANTIATE_KERNEL_TESTS(Suite)                                           \
  INSTANTIATE_TEST_SUITE_P(All, Suite,                                                   \
                           testing::ValuesIn(::kvasir::kernels::all_instruction_sets()), \
                           ::kvasir::kernels::name_of)
