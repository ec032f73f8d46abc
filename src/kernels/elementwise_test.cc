// Norm, rope, Hadamard, SwiGLU, pooling and the hyper-connections.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

class Elementwise : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(Elementwise);

TEST_P(Elementwise, RmsNormAgreesWithRef) {
  Random random(2);
  for (int round = 0; round < 100; ++round) {
    const int64_t size = random.integer(1, 600);
    const std::vector<float> x = random.normals(size, 3);
    const std::vector<float> weight = random.normals(size);
    const float* weight_data = round % 3 == 0 ? nullptr : weight.data();
    std::vector<float> expected(size);
    ref().rms_norm(x.data(), weight_data, 1e-6f, size, expected.data());
    Placed<float> in_place(x, random.integer(0, 15));
    table().rms_norm(in_place.data(), weight_data, 1e-6f, size, in_place.data());
    ASSERT_NO_FATAL_FAILURE(
        expect_close({in_place.data(), in_place.data() + size}, expected, 1e-6));
    const float factor = table().inverse_rms(x.data(), 1e-6f, size);
    EXPECT_NEAR(factor, ref().inverse_rms(x.data(), 1e-6f, size), 1e-6 * factor);
  }
}

TEST_P(Elementwise, RopeAgreesWithRefAndIsUndoneByNegatedSine) {
  Random random(3);
  for (int64_t size = 2; size <= 130; size += 2) {
    const std::vector<float> x = random.normals(size);
    std::vector<float> cosines(size / 2);
    std::vector<float> sines(size / 2);
    for (int64_t i = 0; i < size / 2; ++i) {
      const float angle = random.normal() * 10;
      cosines[i] = std::cos(angle);
      sines[i] = std::sin(angle);
    }
    std::vector<float> expected = x;
    ref().rope(expected.data(), cosines.data(), sines.data(), size);
    Placed<float> rotated(x, random.integer(0, 15));
    Placed<float> placed_cosines(cosines, random.integer(0, 15));
    table().rope(rotated.data(), placed_cosines.data(), sines.data(), size);
    ASSERT_NO_FATAL_FAILURE(expect_close({rotated.data(), rotated.data() + size}, expected, 1e-6));
    for (float& sine : sines) sine = -sine;
    table().rope(rotated.data(), cosines.data(), sines.data(), size);
    ASSERT_NO_FATAL_FAILURE(expect_close({rotated.data(), rotated.data() + size}, x, 2e-6));
  }
}

TEST_P(Elementwise, HadamardAgreesWithRefAndIsItsOwnInverse) {
  Random random(4);
  for (int64_t size = 1; size <= 2048; size *= 2) {
    const std::vector<float> x = random.normals(size);
    std::vector<float> expected = x;
    ref().hadamard(expected.data(), size);
    Placed<float> transformed(x, random.integer(0, 15));
    table().hadamard(transformed.data(), size);
    ASSERT_NO_FATAL_FAILURE(
        expect_close({transformed.data(), transformed.data() + size}, expected, 2e-6));
    table().hadamard(transformed.data(), size);
    ASSERT_NO_FATAL_FAILURE(expect_close({transformed.data(), transformed.data() + size}, x, 4e-6));
  }
}

constexpr Activation kActivations[] = {Activation::kSilu, Activation::kGeluTanh, Activation::kGelu,
                                       Activation::kRelu, Activation::kClampedSwish};

TEST_P(Elementwise, ActivationsAgreeWithRefAtAnyLimitAndMagnitude) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    const int64_t size = random.integer(1, 300);
    const float magnitude = std::exp(3 * random.normal());
    const std::vector<float> gate = random.normals(size, magnitude);
    const std::vector<float> up = random.normals(size, magnitude);
    std::vector<float> expected(size);
    ActivateArgs args{.activation = kActivations[round % 5],
                      .gate = gate.data(),
                      .up = round % 3 == 0 ? nullptr : up.data(),
                      .weight = 0.7f,
                      .size = size,
                      .out = expected.data()};
    if (round % 2 == 0) args.limit = 10;
    ref().activate(args);
    Placed<float> out(gate, random.integer(0, 15));
    args.gate = args.out = out.data();
    table().activate(args);
    ASSERT_NO_FATAL_FAILURE(expect_close({out.data(), out.data() + size}, expected, 1e-6));
  }
}

// Elementwise kernels may be cut anywhere: each element is computed as if it were alone.
TEST_P(Elementwise, ElementsDoNotDependOnTheirNeighbours) {
  Random random(6);
  const int64_t size = 77;
  const std::vector<float> gate = random.normals(size);
  const std::vector<float> up = random.normals(size);
  for (const Activation activation : kActivations) {
    std::vector<float> whole(size);
    ActivateArgs args{.activation = activation,
                      .gate = gate.data(),
                      .up = up.data(),
                      .limit = 10,
                      .size = size,
                      .out = whole.data()};
    table().activate(args);
    for (int64_t i = 0; i < size; ++i) {
      float alone = 0;
      args.gate = &gate[i];
      args.up = &up[i];
      args.size = 1;
      args.out = &alone;
      table().activate(args);
      EXPECT_EQ(alone, whole[i]);
    }
  }
}

TEST_P(Elementwise, LayerNormAgreesWithRef) {
  Random random(8);
  for (int round = 0; round < 60; ++round) {
    const int64_t size = random.integer(2, 700);
    std::vector<float> x = random.normals(size);
    for (float& value : x) value += 3;
    const std::vector<float> weight = random.normals(size);
    const std::vector<float> bias = random.normals(size);
    const float* given_bias = round % 2 == 0 ? bias.data() : nullptr;
    std::vector<float> expected(size);
    ref().layer_norm(x.data(), weight.data(), given_bias, 1e-5f, size, expected.data());
    Placed<float> out(x, random.integer(0, 15));
    table().layer_norm(out.data(), weight.data(), given_bias, 1e-5f, size, out.data());
    ASSERT_NO_FATAL_FAILURE(expect_close({out.data(), out.data() + size}, expected, 2e-6));
  }
}

TEST_P(Elementwise, RopeOfHalvesIsRopeOfPairsInAnotherOrder) {
  Random random(9);
  for (int64_t size = 2; size <= 256; size += 2) {
    const std::vector<float> x = random.normals(size);
    std::vector<float> pairs(size), cosines(size / 2), sines(size / 2), expected(size);
    for (int64_t i = 0; i < size / 2; ++i) {
      const double angle = random.normal() * 10;
      cosines[i] = static_cast<float>(std::cos(angle));
      sines[i] = static_cast<float>(std::sin(angle));
      pairs[2 * i] = x[i];
      pairs[2 * i + 1] = x[i + size / 2];
    }
    ref().rope(pairs.data(), cosines.data(), sines.data(), size);
    for (int64_t i = 0; i < size; ++i) expected[i % 2 * size / 2 + i / 2] = pairs[i];
    for (const KernelTable* one : {&table(), &ref()}) {
      Placed<float> turned(x, random.integer(0, 15));
      one->rope_halves(turned.data(), cosines.data(), sines.data(), size);
      ASSERT_NO_FATAL_FAILURE(expect_close({turned.data(), turned.data() + size}, expected, 1e-6));
    }
  }
}

TEST_P(Elementwise, PoolAgreesWithRef) {
  Random random(7);
  for (int round = 0; round < 60; ++round) {
    const int64_t width = random.integer(1, 100);
    const int64_t entries = random.integer(1, 130);
    std::vector<std::vector<float>> rows;
    std::vector<const float*> values;
    std::vector<const float*> gates;
    for (int64_t e = 0; e < 2 * entries; ++e)
      rows.push_back(random.normals(width, e < entries ? 1.0f : 4.0f));
    for (int64_t e = 0; e < entries; ++e) {
      values.push_back(rows[e].data());
      gates.push_back(rows[entries + e].data());
    }
    std::vector<float> out(width);
    std::vector<float> expected(width);
    PoolArgs args{.values = values.data(),
                  .gates = gates.data(),
                  .entry_count = entries,
                  .width = width,
                  .out = out.data()};
    table().pool(args);
    args.out = expected.data();
    ref().pool(args);
    ASSERT_NO_FATAL_FAILURE(expect_close(out, expected, 2e-6));
  }
}

struct MixOutput {
  std::vector<float> pre, post, combine;
};

MixOutput hyper_mix(const KernelTable& table, HyperMixArgs args) {
  const int64_t h = args.stream_count;
  MixOutput out;
  out.pre.resize(args.token_count * h);
  out.post.resize(args.token_count * h);
  out.combine.resize(args.token_count * h * h);
  args.pre = out.pre.data();
  args.post = out.post.data();
  args.combine = out.combine.data();
  table.hyper_mix(args);
  return out;
}

TEST_P(Elementwise, HyperMixAgreesWithRefAndHasTheSameBitsForEachTokenAlone) {
  Random random(8);
  for (int64_t h = 1; h <= 20; ++h) {
    const int64_t tokens = h == 4 ? 37 : 3;
    const int64_t width = (2 + h) * h;
    const std::vector<float> mix = random.normals(tokens * width, 3);
    const std::vector<float> base = random.normals(width);
    const std::vector<float> scale = {0.5f, 1.25f, 2.0f};
    std::vector<float> inv_rms = random.normals(tokens);
    for (float& value : inv_rms) value = std::fabs(value) + 0.1f;
    HyperMixArgs args{.mix = mix.data(),
                      .inv_rms = inv_rms.data(),
                      .base = base.data(),
                      .scale = scale.data(),
                      .token_count = tokens,
                      .stream_count = h,
                      .iterations = 20,
                      .eps = 1e-6f};
    const MixOutput whole = hyper_mix(table(), args);
    const MixOutput expected = hyper_mix(ref(), args);
    ASSERT_NO_FATAL_FAILURE(expect_close(whole.pre, expected.pre, 1e-6));
    ASSERT_NO_FATAL_FAILURE(expect_close(whole.post, expected.post, 1e-6));
    ASSERT_NO_FATAL_FAILURE(expect_close(whole.combine, expected.combine, 2e-5));
    args.token_count = 1;
    for (int64_t t = 0; t < tokens; ++t) {
      args.mix = mix.data() + t * width;
      args.inv_rms = inv_rms.data() + t;
      const MixOutput alone = hyper_mix(table(), args);
      const auto begin = whole.combine.begin() + t * h * h;
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(alone.combine, {begin, begin + h * h}));
      EXPECT_EQ(alone.pre[0], whole.pre[t * h]);
      EXPECT_EQ(alone.post[h - 1], whole.post[t * h + h - 1]);
    }
  }
}

TEST_P(Elementwise, HyperCollapseAndExpandAgreeWithRef) {
  Random random(9);
  for (int round = 0; round < 100; ++round) {
    const int64_t streams = random.integer(1, kStreamCountMax);
    const int64_t dim = random.integer(1, 150);
    const std::vector<float> x = random.normals(streams * dim);
    const std::vector<float> weights = random.normals(streams);
    const std::vector<float> combine = random.normals(streams * streams);
    const std::vector<float> o = random.normals(dim);
    std::vector<float> u(dim);
    std::vector<float> expected_u(dim);
    table().hyper_collapse(x.data(), weights.data(), streams, dim, u.data());
    ref().hyper_collapse(x.data(), weights.data(), streams, dim, expected_u.data());
    ASSERT_NO_FATAL_FAILURE(expect_close(u, expected_u, 2e-6));

    std::vector<float> expected = x;
    ref().hyper_expand(expected.data(), o.data(), weights.data(), combine.data(), streams, dim);
    Placed<float> expanded(x, random.integer(0, 15));
    table().hyper_expand(expanded.data(), o.data(), weights.data(), combine.data(), streams, dim);
    ASSERT_NO_FATAL_FAILURE(
        expect_close({expanded.data(), expanded.data() + streams * dim}, expected, 4e-6));
  }
}

}  // namespace
}  // namespace kvasir::kernels
