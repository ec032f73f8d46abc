#include <gtest/gtest.h>

#include <iterator>
#include <span>

#include "kernels/limits.h"
#include "kernels/test_support.h"

namespace kvasir::kernels {
namespace {

constexpr CodecId kCodecs[] = {CodecId::kFp8, CodecId::kBf16, CodecId::kF32, CodecId::kF16,
                               CodecId::kNvfp4Row};

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
          .value_dim = c.format.dim,
          .row_count = static_cast<int64_t>(c.rows.size()),
          .q = c.q.data(),
          .sinks = c.sinks.data(),
          .scale = c.scale,
          .out = out,
          .scratch = scratch};
}

std::vector<float> attend(const KernelTable& table, const Case& c) {
  std::vector<float> out(c.q.size());
  std::vector<float> scratch(attend_scratch_floats(c.format, 0, c.head_count));
  table.attend(make_args(c, out.data(), scratch.data()), 0, c.head_count);
  return out;
}

RowFormat random_format(Random& random, int round) {
  RowFormat format{.codec = kCodecs[round % std::size(kCodecs)], .dim = 2 * random.integer(1, 100)};
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
    Placed<float> scratch(std::vector<float>(attend_scratch_floats(c.format, 0, heads)),
                          random.integer(0, 15));
    const std::vector<int64_t> cuts = random_cuts(random, heads);
    for (size_t i = 0; i + 1 < cuts.size(); ++i)
      table().attend(make_args(c, out.data(), scratch.data()), cuts[i], cuts[i + 1]);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits({out.data(), out.data() + c.q.size()}, whole));
  }
}

TEST_P(Attend, RowsThatTheNextCallTakesChangeNoBit) {
  Random random(5);
  for (int round = 0; round < 60; ++round) {
    Case c = make_case(random, {.codec = kCodecs[round % std::size(kCodecs)], .dim = 64},
                       random.integer(1, 14), random.integer(2, 150));
    const std::vector<const std::byte*> rows = c.rows;
    c.rows.resize(random.integer(1, static_cast<int64_t>(rows.size()) - 1));
    const std::vector<float> alone = attend(table(), c);
    std::vector<float> out(c.q.size());
    std::vector<float> scratch(attend_scratch_floats(c.format, 0, c.head_count));
    AttendArgs args = make_args(c, out.data(), scratch.data());
    args.rows = rows.data();
    args.ahead_count = static_cast<int64_t>(rows.size() - c.rows.size());
    table().attend(args, 0, c.head_count);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(out, alone));
  }
}

// Rows of a window before pooled rows of another format.
struct MixedCase {
  Case pooled;
  Case window;

  std::vector<const std::byte*> rows() const {
    std::vector<const std::byte*> rows = window.rows;
    rows.insert(rows.end(), pooled.rows.begin(), pooled.rows.end());
    return rows;
  }
};

MixedCase make_mixed(Random& random, int64_t window_count, int64_t pooled_count) {
  const int64_t dim = 2 * random.integer(1, 100);
  const int64_t heads = random.integer(1, 14);
  const RowFormat pooled{.codec = CodecId::kNvfp4Row, .dim = dim, .rope_dim = dim / 4};
  RowFormat window = pooled;
  window.codec = kCodecs[random.integer(0, 3)];
  return {make_case(random, pooled, heads, pooled_count),
          make_case(random, window, heads, window_count)};
}

std::vector<float> attend_mixed(const KernelTable& table, const MixedCase& c,
                                const std::vector<int64_t>& head_cuts) {
  std::vector<float> out(c.pooled.q.size());
  std::vector<float> scratch(attend_scratch_floats(c.pooled.format, 0, c.pooled.head_count));
  const std::vector<const std::byte*> rows = c.rows();
  AttendArgs args = make_args(c.pooled, out.data(), scratch.data());
  args.rows = rows.data();
  args.row_count = std::ssize(rows);
  args.leading_count = std::ssize(c.window.rows);
  args.leading_format = c.window.format;
  for (size_t i = 0; i + 1 < head_cuts.size(); ++i)
    table.attend(args, head_cuts[i], head_cuts[i + 1]);
  return out;
}

TEST_P(Attend, LeadingRowsHaveAFormatOfTheirOwn) {
  Random random(9);
  for (int round = 0; round < 60; ++round) {
    const MixedCase c =
        make_mixed(random, random.integer(1, 140), random.integer(round % 4 == 0 ? 0 : 1, 100));
    const int64_t heads = c.pooled.head_count;
    const std::vector<float> whole = attend_mixed(table(), c, {0, heads});
    ASSERT_NO_FATAL_FAILURE(expect_close(whole, attend_mixed(ref(), c, {0, heads}), 1e-5));
    ASSERT_NO_FATAL_FAILURE(
        expect_same_bits(attend_mixed(table(), c, random_cuts(random, heads)), whole));
    // The sums are those over the same numbers in one format.
    Case plain = c.pooled;
    plain.format = {.codec = CodecId::kF32, .dim = c.pooled.format.dim};
    plain.storage.clear();
    plain.rows.clear();
    const std::vector<const std::byte*> rows = c.rows();
    for (size_t j = 0; j < rows.size(); ++j) {
      std::vector<float> row(plain.format.dim);
      decode_row(j < c.window.rows.size() ? c.window.format : c.pooled.format, rows[j], row.data());
      const auto bytes = std::as_bytes(std::span(row));
      plain.storage.emplace_back(std::vector<std::byte>(bytes.begin(), bytes.end()), 0);
    }
    for (auto& row : plain.storage) plain.rows.push_back(row.data());
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(attend(table(), plain), whole));
  }
}

// Heads of several tokens over keys and values of their own.
struct GroupCase {
  RowFormat format;
  int64_t value_dim = 0;
  std::vector<std::vector<std::byte>> storage;
  std::vector<const std::byte*> keys;
  std::vector<const std::byte*> values;
  std::vector<float> q;
  std::vector<float> sinks;
  std::vector<RowRange> seen;
};

// Tokens come one after another and see the newest `window` rows up to their own.
GroupCase make_group(Random& random, int64_t token_count, int64_t head_count, int64_t window) {
  const CodecId codec = kCodecs[random.integer(1, 3)];
  // Half of them are whole vectors, which few queries read in place.
  const bool whole = random.integer(0, 1) == 1;
  const auto a_dim = [&] { return whole ? 16 * random.integer(1, 9) : random.integer(1, 150); };
  GroupCase c{.format = {.codec = codec, .dim = a_dim()}, .value_dim = a_dim()};
  const int64_t first = random.integer(0, 200);
  const auto add_rows = [&](int64_t dim, std::vector<const std::byte*>& rows) {
    const RowFormat format{.codec = codec, .dim = dim};
    for (int64_t j = 0; j < first + token_count; ++j) {
      c.storage.emplace_back(format.bytes());
      encode_row(format, random.normals(dim).data(), c.storage.back().data());
      rows.push_back(c.storage.back().data());
    }
  };
  add_rows(c.format.dim, c.keys);
  add_rows(c.value_dim, c.values);
  for (int64_t t = 0; t < token_count; ++t) {
    const int64_t end = first + t + 1;
    c.seen.insert(c.seen.end(), head_count, {std::max<int64_t>(0, end - window), end});
  }
  c.q = random.normals(token_count * head_count * c.format.dim);
  c.sinks = random.normals(token_count * head_count);
  return c;
}

std::vector<float> attend_queries(const KernelTable& table, const GroupCase& c, float soft_cap,
                                  bool has_sinks, int64_t begin, int64_t end) {
  std::vector<float> out(c.seen.size() * c.value_dim);
  std::vector<float> scratch(attend_scratch_floats(c.format, c.value_dim, end - begin));
  table.attend({.format = c.format,
                .rows = c.keys.data(),
                .values = c.values.data(),
                .value_dim = c.value_dim,
                .row_count = std::ssize(c.keys),
                .seen = c.seen.data(),
                .q = c.q.data(),
                .sinks = has_sinks ? c.sinks.data() : nullptr,
                .scale = 0.3f,
                .soft_cap = soft_cap,
                .out = out.data(),
                .scratch = scratch.data()},
               begin, end);
  return out;
}

TEST_P(Attend, GroupsWithWindowsAgreeWithRef) {
  Random random(5);
  for (int round = 0; round < 60; ++round) {
    const GroupCase c = make_group(random, random.integer(1, 16), random.integer(1, 4),
                                   round % 3 == 0 ? 1000 : random.integer(1, 70));
    const float cap = round % 4 == 0 ? 5.0f : 0.0f;
    const int64_t queries = std::ssize(c.seen);
    ASSERT_NO_FATAL_FAILURE(
        expect_close(attend_queries(table(), c, cap, round % 2 == 0, 0, queries),
                     attend_queries(ref(), c, cap, round % 2 == 0, 0, queries), 1e-5));
  }
}

// A token alone lists its rows from the tile on in which its window begins.
TEST_P(Attend, ATokenHasTheSameBitsAloneAndAmongOthers) {
  Random random(6);
  for (int round = 0; round < 60; ++round) {
    GroupCase c =
        make_group(random, random.integer(2, 12), random.integer(1, 3), random.integer(1, 100));
    const int64_t queries = std::ssize(c.seen);
    const int64_t query = random.integer(0, queries - 1);
    const auto whole = attend_queries(table(), c, 5, true, 0, queries);
    const int64_t skipped = c.seen[query].begin / kAttendTileRows * kAttendTileRows;
    c.keys.erase(c.keys.begin(), c.keys.begin() + skipped);
    c.values.erase(c.values.begin(), c.values.begin() + skipped);
    c.keys.resize(c.seen[query].end - skipped);
    c.values.resize(c.seen[query].end - skipped);
    c.seen[query].begin -= skipped;
    c.seen[query].end -= skipped;
    const auto alone = attend_queries(table(), c, 5, true, query, query + 1);
    const auto of_query = [&](const std::vector<float>& out) {
      return std::vector<float>(out.begin() + query * c.value_dim,
                                out.begin() + (query + 1) * c.value_dim);
    };
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(of_query(alone), of_query(whole)));
  }
}

// A whole, in float arrays of its own.
struct Part {
  std::vector<float> out;
  std::vector<float> maxima;
  std::vector<float> sums;

  AttendedPart view() { return {.out = out.data(), .maxima = maxima.data(), .sums = sums.data()}; }
};

// What the queries of `c` find in the rows [begin, end), which all of them see.
Part attend_part(const KernelTable& table, const GroupCase& c, int64_t begin, int64_t end) {
  const int64_t queries = std::ssize(c.seen);
  Part part{std::vector<float>(queries * c.value_dim), std::vector<float>(queries),
            std::vector<float>(queries)};
  std::vector<float> scratch(attend_scratch_floats(c.format, c.value_dim, queries));
  table.attend({.format = c.format,
                .rows = c.keys.data() + begin,
                .values = c.values.data() + begin,
                .value_dim = c.value_dim,
                .row_count = end - begin,
                .q = c.q.data(),
                .scale = 0.3f,
                .out = part.out.data(),
                .maxima = part.maxima.data(),
                .sums = part.sums.data(),
                .scratch = scratch.data()},
               0, queries);
  return part;
}

TEST_P(Attend, PartsOfTheRowsJoinToTheWhole) {
  Random random(7);
  for (int round = 0; round < 40; ++round) {
    const bool has_sinks = round % 2 == 0;
    const int64_t heads = random.integer(1, 20);
    const GroupCase c = make_group(random, 1, heads, 1000);
    Part whole{std::vector<float>(heads * c.value_dim),
               has_sinks ? c.sinks : std::vector<float>(heads, -INFINITY),
               std::vector<float>(heads, has_sinks ? 1.0f : 0.0f)};
    const std::vector<int64_t> cuts = random_cuts(random, std::ssize(c.keys));
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      Part part = attend_part(table(), c, cuts[i], cuts[i + 1]);
      table().join_attended(part.view(), heads, c.value_dim, whole.view());
    }
    table().finish_attended(whole.view(), heads, c.value_dim);
    ASSERT_NO_FATAL_FAILURE(
        expect_close(whole.out, attend_queries(ref(), c, 0, has_sinks, 0, heads), 1e-5));
  }
}

// Rows of several vectors, read all at once and vector by vector.
TEST_P(Attend, VectorsOfARowHaveTheBitsTheyHaveAlone) {
  Random random(8);
  for (int round = 0; round < 40; ++round) {
    const int64_t vectors = random.integer(2, 5);
    const int64_t heads = random.integer(1, 15);
    const RowFormat format{.codec = kCodecs[random.integer(1, 3)],
                           .dim = 8 * random.integer(1, 10)};
    const RowFormat row{.codec = format.codec, .dim = vectors * format.dim};
    const Case c = make_case(random, row, heads, random.integer(1, 150));
    const std::vector<float> q = random.normals(vectors * heads * format.dim);
    std::vector<float> scratch(attend_scratch_floats(format, format.dim, vectors * heads));
    const auto attend_vectors = [&](int64_t first, int64_t count) {
      std::vector<const std::byte*> rows = c.rows;
      for (const std::byte*& place : rows) place += first * format.bytes();
      std::vector<float> out(count * heads * format.dim);
      table().attend({.format = format,
                      .rows = rows.data(),
                      .values = rows.data(),
                      .value_dim = format.dim,
                      .vector_count = count,
                      .queries_per_vector = heads,
                      .row_count = std::ssize(rows),
                      .q = q.data() + first * heads * format.dim,
                      .scale = c.scale,
                      .out = out.data(),
                      .scratch = scratch.data()},
                     0, heads);
      return out;
    };
    std::vector<float> one_by_one;
    for (int64_t vector = 0; vector < vectors; ++vector) {
      const std::vector<float> out = attend_vectors(vector, 1);
      one_by_one.insert(one_by_one.end(), out.begin(), out.end());
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(attend_vectors(0, vectors), one_by_one));
  }
}

}  // namespace
}  // namespace kvasir::kernels
