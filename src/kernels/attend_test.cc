#include <gtest/gtest.h>

#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

constexpr CodecId kCodecs[] = {CodecId::kFp8, CodecId::kBf16, CodecId::kF32};

struct Case {
  RowFormat format;
  int64_t head_count = 0;
  std::vector<Placed<std::byte>> storage;
  std::vector<const std::byte*> rows;
  std::vector<float> q;
  std::vector<float> sinks;
  float scale = 0;
};

Case make_case(Random& random, const RowFormat& format, int64_t head_count, int64_t row_count) {
  Case c{.format = format, .head_count = head_count};
  for (int64_t j = 0; j < row_count; ++j) {
    std::vector<std::byte> row(format.bytes());
    encode_row(format, random.normals(format.dim, std::exp(random.normal() / 2)).data(),
               row.data());
    c.storage.emplace_back(row, random.integer(0, 63));
  }
  for (auto& row : c.storage) c.rows.push_back(row.data());
  c.q = random.normals(head_count * format.dim);
  c.sinks = random.normals(head_count);
  c.scale = 1 / std::sqrt(static_cast<float>(format.dim));
  return c;
}

AttendArgs make_args(const Case& c, float* out, float* scratch) {
  return {.format = c.format,
          .rows = c.rows.data(),
          .row_count = static_cast<int64_t>(c.rows.size()),
          .q = c.q.data(),
          .sinks = c.sinks.data(),
          .scale = c.scale,
          .out = out,
          .scratch = scratch};
}

std::vector<float> attend(const KernelTable& table, const Case& c) {
  std::vector<float> out(c.q.size());
  std::vector<float> scratch(attend_scratch_floats(c.format, c.head_count));
  table.attend(make_args(c, out.data(), scratch.data()), 0, c.head_count);
  return out;
}

RowFormat random_format(Random& random, int round) {
  RowFormat format{.codec = kCodecs[round % 3], .dim = 2 * random.integer(1, 100)};
  format.rope_dim = 2 * random.integer(0, format.dim / 2);
  return format;
}

class Attend : public KernelTest {};
KVASIR_INSTANTIATE_KERNEL_TESTS(Attend);

TEST_P(Attend, AgreesWithRef) {
  Random random(1);
  for (int round = 0; round < 90; ++round) {
    const Case c = make_case(random, random_format(random, round), random.integer(1, 14),
                             random.integer(1, 150));
    ASSERT_NO_FATAL_FAILURE(expect_close(attend(table(), c), attend(ref(), c), 1e-5));
  }
}

TEST_P(Attend, AgreesWithRefAtFlashShape) {
  Random random(2);
  const Case c = make_case(random, {.dim = 512, .rope_dim = 64}, 64, 640);
  ASSERT_NO_FATAL_FAILURE(expect_close(attend(table(), c), attend(ref(), c), 1e-5));
}

TEST_P(Attend, SurvivesScoresThatNoExponentialHolds) {
  Random random(3);
  Case c = make_case(random, {.dim = 64, .rope_dim = 32}, 3, 100);
  c.scale = 60;
  c.sinks = {-1e4f, 0, 3e3f};
  ASSERT_NO_FATAL_FAILURE(expect_close(attend(table(), c), attend(ref(), c), 1e-3));
}

TEST_P(Attend, SameBitsHoweverTheHeadsAreCut) {
  Random random(4);
  for (int round = 0; round < 40; ++round) {
    const int64_t heads = random.integer(1, 20);
    Case c = make_case(random, random_format(random, round), heads, random.integer(1, 100));
    const std::vector<float> whole = attend(table(), c);
    Placed<float> out(std::vector<float>(c.q.size()), random.integer(0, 15));
    Placed<float> scratch(std::vector<float>(attend_scratch_floats(c.format, heads)),
                          random.integer(0, 15));
    const std::vector<int64_t> cuts = random_cuts(random, heads);
    for (size_t i = 0; i + 1 < cuts.size(); ++i)
      table().attend(make_args(c, out.data(), scratch.data()), cuts[i], cuts[i + 1]);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits({out.data(), out.data() + c.q.size()}, whole));
  }
}

}  // namespace
}  // namespace kvasir::kernels
