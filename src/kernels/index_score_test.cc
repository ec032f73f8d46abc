#include <gtest/gtest.h>

#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

constexpr CodecId kCodecs[] = {CodecId::kFp4, CodecId::kBf16,     CodecId::kF32,
                               CodecId::kF16, CodecId::kInt2Keys, CodecId::kSignKeys};
constexpr int kCodecCount = std::size(kCodecs);

struct Case {
  RowFormat format;
  int64_t head_count = 0;
  int64_t key_count = 0;
  std::vector<std::byte> keys;
  std::vector<float> q;
  std::vector<float> head_weights;
};

Case make_case(Random& random, const RowFormat& format, int64_t head_count, int64_t key_count) {
  Case c{.format = format, .head_count = head_count, .key_count = key_count};
  c.keys.resize(key_count * format.bytes());
  for (int64_t j = 0; j < key_count; ++j) {
    const std::vector<float> key = random.normals(format.dim, std::exp(random.normal()));
    encode_row(format, key.data(), c.keys.data() + j * format.bytes());
  }
  c.q = random.normals(head_count * format.dim);
  c.head_weights = random.normals(head_count);
  return c;
}

std::vector<std::byte> encode_query(const KernelTable& table, const Case& c) {
  std::vector<std::byte> query(index_query_bytes(c.format, c.head_count));
  table.encode_index_query(c.format, c.q.data(), c.head_count, query.data());
  return query;
}

std::vector<float> score(const KernelTable& table, const Case& c) {
  const std::vector<std::byte> query = encode_query(table, c);
  std::vector<float> scores(c.key_count);
  table.index_score({.format = c.format,
                     .head_count = c.head_count,
                     .query = query.data(),
                     .head_weights = c.head_weights.data(),
                     .keys = c.keys.data(),
                     .key_count = c.key_count,
                     .scores = scores.data()});
  return scores;
}

// Sums are rounded, so errors are measured against what a key's score would be if no product of its
// query, key and head weights were negative. A 2-bit key is a sum of codes and minima, which may
// have other signs.
double magnitude(const Case& c, int64_t j) {
  std::vector<float> key(c.format.dim);
  decode_row(c.format, c.keys.data() + j * c.format.bytes(), key.data());
  double sum = 0;
  for (int64_t h = 0; h < c.head_count; ++h) {
    double products = 0;
    for (int64_t i = 0; i < c.format.dim; ++i)
      products += std::fabs(double{c.q[h * c.format.dim + i]} * key[i]);
    sum += std::fabs(c.head_weights[h]) * products;
  }
  return c.format.codec == CodecId::kInt2Keys ? 3 * sum : sum;
}

class IndexScore : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(IndexScore);

TEST_P(IndexScore, AgreesWithRef) {
  Random random(1);
  const int64_t dims[] = {2, 8, 16, 32, 48, 64, 96, 128, 256};
  for (int round = 0; round < 220; ++round) {
    const RowFormat format{.codec = kCodecs[round % kCodecCount],
                           .dim = dims[random.integer(0, 8)]};
    const int64_t head_count = random.integer(1, 150);
    const int64_t key_count = random.integer(1, 20);
    const Case c = make_case(random, format, head_count, key_count);
    const std::vector<float> scores = score(table(), c);
    const std::vector<float> expected = score(ref(), c);
    for (size_t j = 0; j < scores.size(); ++j) {
      ASSERT_NEAR(scores[j], expected[j], 2e-7 * magnitude(c, static_cast<int64_t>(j)))
          << "dim " << format.dim << " heads " << c.head_count;
    }
  }
}

// One head of weight one and a single group: the integer sum is exact and nothing else rounds.
TEST_P(IndexScore, IsExactWithinAGroup) {
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    Case c = make_case(random, {.codec = CodecId::kFp4, .dim = 32}, 1, 30);
    c.head_weights = {1};
    EXPECT_EQ(score(table(), c), score(ref(), c));
  }
}

TEST_P(IndexScore, SameBitsHoweverTheKeysAreCut) {
  Random random(3);
  for (int round = 0; round < 90; ++round) {
    const RowFormat format{.codec = kCodecs[round % kCodecCount],
                           .dim = int64_t{16} << random.integer(0, 3)};
    const Case c = make_case(random, format, random.integer(1, 80), random.integer(1, 40));
    const std::vector<float> whole = score(table(), c);
    Placed<std::byte> query(encode_query(table(), c), random.integer(0, 63));
    Placed<std::byte> keys(c.keys, random.integer(0, 63));
    Placed<float> head_weights(c.head_weights, random.integer(0, 15));
    Placed<float> scores(std::vector<float>(c.key_count), random.integer(0, 15));
    const std::vector<int64_t> cuts = random_cuts(random, c.key_count);
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      table().index_score({.format = format,
                           .head_count = c.head_count,
                           .query = query.data(),
                           .head_weights = head_weights.data(),
                           .keys = keys.data() + cuts[i] * format.bytes(),
                           .key_count = cuts[i + 1] - cuts[i],
                           .scores = scores.data() + cuts[i]});
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_bits({scores.data(), scores.data() + c.key_count}, whole));
  }
}

// Keys whose groups' scales lie far apart go another way than others, and take their neighbours
// along: no bit may tell which way a key went. The same for whole queries, and however small or
// large all numbers are.
TEST_P(IndexScore, FarScalesBesideAKeyChangeNoBit) {
  Random random(4);
  for (int round = 0; round < 300; ++round) {
    const RowFormat format{.codec = round % 8 < 5 ? CodecId::kFp4 : CodecId::kSignKeys,
                           .dim = 32 * random.integer(1, 8)};
    Case c = make_case(random, format, random.integer(1, 80), 24);
    const auto stretch = [&](float* values, int64_t exponent_max) {
      for (int64_t i = 0; i < format.dim; ++i) {
        values[i] *= std::exp2(static_cast<float>(i / 32 * exponent_max / 4));
      }
    };
    const auto power = [&](int64_t low, int64_t high) {
      return std::exp2(static_cast<float>(random.integer(low, high)));
    };
    const bool is_extreme = round % 3 == 0;
    if (is_extreme) {
      const int64_t beyond = round % 2 * 100;
      const float weight_scale = power(-33 - beyond, 15 + beyond);
      for (float& weight : c.head_weights)
        weight *= random.integer(0, 9) == 0 ? 0 : weight_scale * power(-3, 3);
      const float q_scale = power(-33, 33);
      for (float& value : c.q) value *= q_scale;
    }
    for (int64_t j = 0; j < c.key_count; ++j) {
      std::vector<float> key = random.normals(format.dim, is_extreme ? power(-33, 33) : 1);
      if (j % 5 == 0) stretch(key.data(), random.integer(1, 30));
      encode_row(format, key.data(), c.keys.data() + j * format.bytes());
    }
    if (round % 4 == 0) stretch(c.q.data(), 20);
    const std::vector<float> whole = score(table(), c);
    const std::vector<std::byte> query = encode_query(table(), c);
    std::vector<float> alone(c.key_count);
    for (int64_t j = 0; j < c.key_count; ++j) {
      table().index_score({.format = format,
                           .head_count = c.head_count,
                           .query = query.data(),
                           .head_weights = c.head_weights.data(),
                           .keys = c.keys.data() + j * format.bytes(),
                           .key_count = 1,
                           .scores = &alone[j]});
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_bits({alone.data(), alone.data() + c.key_count}, whole));
  }
}

// Tokens that share the keys get the scores that each gets alone, also where one of their queries
// or some of the keys have far scales.
TEST_P(IndexScore, TokensTogetherHaveTheBitsOfEachAlone) {
  Random random(6);
  for (int round = 0; round < 300; ++round) {
    const RowFormat format{
        .codec = round % 3 < 2 ? CodecId::kFp4 : kCodecs[round / 3 % kCodecCount],
        .dim = 16 * random.integer(1, 16)};
    const int64_t head_count = random.integer(1, 70);
    const int64_t query_count = random.integer(1, index_queries_at_once(head_count));
    Case c = make_case(random, format, head_count, random.integer(1, 20));
    if (round % 4 == 0) {
      std::vector<float> key = random.normals(format.dim);
      key[0] = 1e4f;
      encode_row(format, key.data(), c.keys.data());
    }
    std::vector<std::byte> queries;
    std::vector<float> head_weights;
    std::vector<float> expected;
    for (int64_t query = 0; query < query_count; ++query) {
      c.q = random.normals(head_count * format.dim);
      if (random.integer(0, 15) == 0) c.q[0] = 1e4f;
      c.head_weights = random.normals(head_count);
      const std::vector<std::byte> encoded = encode_query(table(), c);
      const std::vector<float> alone = score(table(), c);
      queries.insert(queries.end(), encoded.begin(), encoded.end());
      head_weights.insert(head_weights.end(), c.head_weights.begin(), c.head_weights.end());
      expected.insert(expected.end(), alone.begin(), alone.end());
      expected.resize((query + 1) * (c.key_count + 3), -1);
    }
    std::vector<float> scores(expected.size(), -1);
    table().index_score({.format = format,
                         .head_count = head_count,
                         .query_count = query_count,
                         .query = queries.data(),
                         .head_weights = head_weights.data(),
                         .keys = c.keys.data(),
                         .key_count = c.key_count,
                         .scores = scores.data(),
                         .score_stride = c.key_count + 3});
    ASSERT_NO_FATAL_FAILURE(
        expect_same_bits({scores.data(), scores.data() + scores.size()}, expected));
  }
}

// One head of weight one whose largest number is 7: all sums are whole numbers, and only the key's
// scale rounds.
TEST_P(IndexScore, SumsOfSignsAreExact) {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    const int64_t dim = 8 * random.integer(1, 40);
    Case c = make_case(random, {.codec = CodecId::kSignKeys, .dim = dim}, 1, 30);
    c.head_weights = {1};
    for (float& value : c.q) value = static_cast<float>(random.integer(-7, 7));
    c.q[random.integer(0, dim - 1)] = random.integer(0, 1) == 1 ? 7 : -7;
    const std::vector<float> scores = score(table(), c);
    for (int64_t j = 0; j < c.key_count; ++j) {
      std::vector<float> key(dim);
      decode_row(c.format, c.keys.data() + j * c.format.bytes(), key.data());
      float sum = 0;
      for (int64_t i = 0; i < dim; ++i) sum += std::signbit(key[i]) ? -c.q[i] : c.q[i];
      EXPECT_EQ(scores[j], std::max(0.0f, sum) * std::fabs(key[0]));
    }
  }
}

TEST_P(IndexScore, ReluDropsNegativeHeads) {
  Case c{.format = {.codec = CodecId::kF32, .dim = 2},
         .head_count = 2,
         .key_count = 1,
         .q = {1, 0, -1, 0},
         .head_weights = {3, 5}};
  const std::vector<float> key = {2, 7};
  c.keys.resize(8);
  encode_row(c.format, key.data(), c.keys.data());
  EXPECT_EQ(score(table(), c), std::vector<float>{6});
}

}  // namespace
}  // namespace kvasir::kernels
