// Every instruction set computes the same bits: all functions of the kernel tables over random
// shapes with tails, all formats and codecs, and numbers at both ends of float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "kernels/codecs/packed.h"
#include "kernels/limits.h"
#include "kernels/test_support.h"
#include "numeric/blocks/block_type.h"

namespace kvasir::kernels {
namespace {

using Bytes = std::vector<std::byte>;

// What a table makes of the inputs that it draws from `random`.
using Compute = Bytes (*)(const KernelTable& table, Random& random);

template <class T>
void append(Bytes& out, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  out.insert(out.end(), bytes, bytes + values.size() * sizeof(T));
}

// Numbers of one magnitude; in every third call some are zeros of both signs, subnormal, or so
// large that their products are, and still finite.
std::vector<float> numbers(Random& random, int64_t size) {
  constexpr float kSpecial[] = {0.0f, -0.0f, 0x1p-149f, -0x1.8p-130f, 0x1p-75f, 1e15f, -1e15f};
  std::vector<float> values = random.normals(size, std::exp(random.normal()));
  if (random.integer(0, 2) != 0) return values;
  for (float& value : values) {
    if (random.integer(0, 5) == 0) value = kSpecial[random.integer(0, 6)];
  }
  return values;
}

void expect_equal_bits(int rounds, Compute compute) {
  for (int round = 0; round < rounds; ++round) {
    const InstructionSet* first = nullptr;
    Bytes expected;
    for (const InstructionSet& set : instruction_sets()) {
      if (!set.is_supported()) continue;
      Random random(static_cast<uint32_t>(round));
      const Bytes found = compute(set.table, random);
      if (first == nullptr) {
        first = &set;
        expected = found;
      }
      const auto differing = std::ranges::mismatch(found, expected);
      ASSERT_TRUE(found == expected)
          << set.table.name << " and " << first->table.name << " differ in round " << round
          << " at byte " << differing.in1 - found.begin() << " of " << found.size();
    }
  }
}

// ---- products

void fill_codes(Random& random, WeightFormat format, Bytes& data) {
  for (std::byte& code : data) code = static_cast<std::byte>(random.bits());
  if (format == WeightFormat::kF32) {
    const std::vector<float> values = numbers(random, std::ssize(data) / 4);
    std::memcpy(data.data(), values.data(), data.size());
  }
  for (size_t i = 1; i < data.size(); i += 2) {
    // Finite halves; of BF16 of middling size.
    if (format == WeightFormat::kF16) data[i] &= std::byte{0xbf};
    if (format == WeightFormat::kBf16) data[i] = (data[i] & std::byte{0x87}) | std::byte{0x38};
  }
  for (std::byte& code : data) {
    const bool is_fp8 =
        format == WeightFormat::kFp8ScaleE8m0 || format == WeightFormat::kFp8ScaleF32;
    if (is_fp8 && (code & std::byte{0x7f}) == std::byte{0x7f}) code ^= std::byte{1};
  }
}

Bytes scales_of(Random& random, WeightMatrix& view) {
  Bytes scales;
  const bool is_fp4 = view.format == WeightFormat::kFp4ScaleE8m0;
  const bool has_floats =
      view.format == WeightFormat::kFp8ScaleF32 || view.format == WeightFormat::kInt8ScaleF32;
  if (has_floats) view.tile_cols = int64_t{16} << random.integer(0, 4);
  if (has_floats) view.tile_rows = random.integer(1, 40);
  view.scale_cols =
      (view.cols + (is_fp4 ? 32 : view.tile_cols) - 1) / (is_fp4 ? 32 : view.tile_cols);
  const int64_t rows = is_fp4 ? view.rows : (view.rows - 1) / view.tile_rows + 1;
  // Now and then scales that need two steps.
  const int64_t middle = random.integer(0, 3) == 0 ? 200 : 124;
  std::vector<float> floats;
  for (int64_t i = 0; i < rows * view.scale_cols; ++i) {
    scales.push_back(static_cast<std::byte>(random.integer(middle - 6, middle + 6)));
    floats.push_back(std::exp(random.normal()));
  }
  if (!has_floats) return scales;
  scales.clear();
  append(scales, floats);
  return scales;
}

Bytes multiply_format(const KernelTable& table, Random& random, WeightFormat format) {
  WeightMatrix view{
      .format = format, .rows = random.integer(1, 70), .cols = random.integer(1, 700)};
  Bytes data(view.rows * weight_row_bytes(view));
  fill_codes(random, format, data);
  const Bytes scales = scales_of(random, view);
  view.data = data.data();
  view.scales = scales.data();
  Bytes out;
  append(out, multiply(table, view, numbers(random, random.integer(1, 15) * view.cols)));
  return out;
}

template <WeightFormat kFormat>
void expect_equal_products() {
  expect_equal_bits(40, [](const KernelTable& table, Random& random) {
    return multiply_format(table, random, kFormat);
  });
}

TEST(EqualBits, ProductsOfFloats) { expect_equal_products<WeightFormat::kF32>(); }
TEST(EqualBits, ProductsOfHalves) { expect_equal_products<WeightFormat::kF16>(); }
TEST(EqualBits, ProductsOfBf16) { expect_equal_products<WeightFormat::kBf16>(); }
TEST(EqualBits, ProductsOfFp8) { expect_equal_products<WeightFormat::kFp8ScaleE8m0>(); }
TEST(EqualBits, ProductsOfFp8WithFloatScales) {
  expect_equal_products<WeightFormat::kFp8ScaleF32>();
}
TEST(EqualBits, ProductsOfInt8) { expect_equal_products<WeightFormat::kInt8ScaleF32>(); }
TEST(EqualBits, ProductsOfFp4) { expect_equal_products<WeightFormat::kFp4ScaleE8m0>(); }

TEST(EqualBits, ProductsOfEveryBlockType) {
  expect_equal_bits(6, [](const KernelTable& table, Random& random) {
    Bytes out;
    for (const BlockType& type : block_types()) {
      if (type.block_items == 1 || type.decode == nullptr) continue;
      WeightMatrix view{.format = WeightFormat::kBlocks,
                        .rows = random.integer(1, 30),
                        .cols = type.block_items * random.integer(1, 1100 / type.block_items),
                        .blocks = &type};
      Bytes data(view.rows * weight_row_bytes(view));
      std::vector<float> decoded(type.block_items);
      for (int64_t at = 0; at < std::ssize(data); at += type.block_bytes) {
        do {
          for (int64_t i = 0; i < type.block_bytes; ++i)
            data[at + i] = static_cast<std::byte>(random.bits());
          type.decode(&data[at], decoded.data());
        } while (!std::ranges::all_of(decoded, [](float v) { return std::fabs(v) < 1e15F; }));
      }
      view.data = data.data();
      append(out, multiply(table, view, numbers(random, random.integer(1, 9) * view.cols)));
    }
    return out;
  });
}

// ---- numbers one by one

TEST(EqualBits, Norms) {
  expect_equal_bits(200, [](const KernelTable& table, Random& random) {
    const int64_t size = random.integer(1, 700);
    const std::vector<float> x = numbers(random, size);
    const std::vector<float> weight = numbers(random, size);
    const std::vector<float> bias = numbers(random, size);
    std::vector<float> out(3 * size + 1);
    table.rms_norm(x.data(), weight.data(), 1e-6f, size, out.data());
    table.rms_norm(x.data(), nullptr, 1e-6f, size, out.data() + size);
    table.layer_norm(x.data(), weight.data(), random.integer(0, 1) == 0 ? nullptr : bias.data(),
                     1e-5f, size, out.data() + 2 * size);
    out.back() = table.inverse_rms(x.data(), 1e-6f, size);
    Bytes bytes;
    append(bytes, out);
    return bytes;
  });
}

TEST(EqualBits, RotationsAndHadamard) {
  expect_equal_bits(200, [](const KernelTable& table, Random& random) {
    const int64_t size = 2 * random.integer(1, 150);
    const std::vector<float> cos = numbers(random, size / 2);
    const std::vector<float> sin = numbers(random, size / 2);
    std::vector<float> adjacent = numbers(random, size);
    std::vector<float> halves = numbers(random, size);
    std::vector<float> transformed = numbers(random, int64_t{1} << random.integer(0, 9));
    table.rope(adjacent.data(), cos.data(), sin.data(), size);
    table.rope_halves(halves.data(), cos.data(), sin.data(), size);
    table.hadamard(transformed.data(), std::ssize(transformed));
    Bytes bytes;
    append(bytes, adjacent);
    append(bytes, halves);
    append(bytes, transformed);
    return bytes;
  });
}

TEST(EqualBits, Activations) {
  expect_equal_bits(300, [](const KernelTable& table, Random& random) {
    const int64_t size = random.integer(1, 300);
    const std::vector<float> gate = numbers(random, size);
    const std::vector<float> up = numbers(random, size);
    std::vector<float> out(size);
    ActivateArgs args{.activation = static_cast<Activation>(random.integer(0, 4)),
                      .gate = gate.data(),
                      .up = random.integer(0, 2) == 0 ? nullptr : up.data(),
                      .weight = 0.7f,
                      .size = size,
                      .out = out.data()};
    if (random.integer(0, 1) == 0) args.limit = 10;
    table.activate(args);
    Bytes bytes;
    append(bytes, out);
    return bytes;
  });
}

// Exponentials of everything that has one, finely: through a softmax of two entries.
TEST(EqualBits, ExponentialsOverTheirWholeRange) {
  expect_equal_bits(1, [](const KernelTable& table, Random&) {
    std::vector<float> low;
    for (float x = -120; x < 0; x += 1.0f / 1024) low.push_back(x);
    const auto width = std::ssize(low);
    const std::vector<float> zeros(width);
    const std::vector<float> ones(width, 1.0f);
    const float* const values[] = {ones.data(), zeros.data()};
    const float* const gates[] = {low.data(), zeros.data()};
    std::vector<float> out(width);
    table.pool(
        {.values = values, .gates = gates, .entry_count = 2, .width = width, .out = out.data()});
    Bytes bytes;
    append(bytes, out);
    return bytes;
  });
}

TEST(EqualBits, PooledRows) {
  expect_equal_bits(100, [](const KernelTable& table, Random& random) {
    const int64_t width = random.integer(1, 200);
    const int64_t count = random.integer(1, 12);
    std::vector<std::vector<float>> storage;
    for (int64_t i = 0; i < 2 * count; ++i) storage.push_back(numbers(random, width));
    std::vector<const float*> values;
    std::vector<const float*> gates;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(storage[2 * i].data());
      gates.push_back(storage[2 * i + 1].data());
    }
    std::vector<float> out(width);
    table.pool({.values = values.data(),
                .gates = gates.data(),
                .entry_count = count,
                .width = width,
                .out = out.data()});
    Bytes bytes;
    append(bytes, out);
    return bytes;
  });
}

TEST(EqualBits, HyperConnections) {
  expect_equal_bits(100, [](const KernelTable& table, Random& random) {
    const int64_t h = random.integer(0, 1) == 0 ? 4 : random.integer(1, kStreamCountMax);
    const int64_t tokens = random.integer(1, 9);
    const int64_t dim = random.integer(1, 150);
    const int64_t mixed = (2 + h) * h;
    const std::vector<float> mix = random.normals(tokens * mixed);
    const std::vector<float> inverse = random.normals(tokens);
    const std::vector<float> base = random.normals(mixed);
    const std::vector<float> scale = random.normals(3);
    std::vector<float> pre(tokens * h);
    std::vector<float> post(tokens * h);
    std::vector<float> combine(tokens * h * h);
    table.hyper_mix({.mix = mix.data(),
                     .inv_rms = inverse.data(),
                     .base = base.data(),
                     .scale = scale.data(),
                     .token_count = tokens,
                     .stream_count = h,
                     .iterations = static_cast<int>(random.integer(1, 20)),
                     .eps = 1e-6f,
                     .pre = pre.data(),
                     .post = post.data(),
                     .combine = combine.data()});
    std::vector<float> x = numbers(random, h * dim);
    const std::vector<float> o = numbers(random, dim);
    std::vector<float> collapsed(dim);
    table.hyper_collapse(x.data(), pre.data(), h, dim, collapsed.data());
    table.hyper_expand(x.data(), o.data(), post.data(), combine.data(), h, dim);
    Bytes bytes;
    for (const auto* part : {&pre, &post, &combine, &collapsed, &x}) append(bytes, *part);
    return bytes;
  });
}

// ---- cached rows

// Encoders take finite numbers; grids have no room for large ones.
std::vector<float> row_of(Random& random, int64_t dim) {
  std::vector<float> row = numbers(random, dim);
  for (float& value : row) value = std::clamp(value, -1e4f, 1e4f);
  return row;
}

TEST(EqualBits, RowsOfEveryFormat) {
  expect_equal_bits(200, [](const KernelTable& table, Random& random) {
    Bytes out;
    for (size_t id = 0; id < kRowFormatCount; ++id) {
      RowFormat format{.codec = static_cast<CodecId>(id), .dim = 2 * random.integer(1, 150)};
      if (format.codec == CodecId::kFp8 || format.codec == CodecId::kNvfp4Row)
        format.rope_dim = 2 * random.integer(0, format.dim / 2);
      Bytes row(format.bytes());
      table.encode_row(format, row_of(random, format.dim).data(), row.data());
      std::vector<float> decoded(format.dim);
      const std::byte* const rows[] = {row.data()};
      table.decode_rows(format, rows, 1, decoded.data());
      append(out, row);
      append(out, decoded);
    }
    return out;
  });
}

// ---- attention

constexpr CodecId kAttended[] = {CodecId::kF32, CodecId::kBf16, CodecId::kF16,
                                 CodecId::kFp8, CodecId::kE4m3, CodecId::kNvfp4Row};

// Rows of one format, each somewhere.
struct Rows {
  Rows(Random& random, const RowFormat& format, int64_t vectors, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      Bytes& row = storage.emplace_back();
      for (int64_t v = 0; v < vectors; ++v) {
        row.resize(row.size() + format.bytes());
        encode_row(format, row_of(random, format.dim).data(),
                   row.data() + row.size() - format.bytes());
      }
    }
    for (const Bytes& row : storage) places.push_back(row.data());
  }

  std::vector<Bytes> storage;
  std::vector<const std::byte*> places;
};

// Keys and values of several vectors a row, or keys that are values behind leading ones.
TEST(EqualBits, Attention) {
  expect_equal_bits(250, [](const KernelTable& table, Random& random) {
    const bool is_latent = random.integer(0, 1) == 0;
    const bool is_whole = random.integer(0, 1) == 0;
    const auto draw_dim = [&] {
      return is_whole ? 16 * random.integer(1, 9) : 2 * random.integer(1, 75);
    };
    const RowFormat format{.codec = kAttended[random.integer(0, is_latent ? 5 : 2)],
                           .dim = draw_dim()};
    const int64_t value_dim = is_latent ? format.dim : draw_dim();
    const int64_t vectors = is_latent ? 1 : random.integer(1, 3);
    const int64_t queries = random.integer(1, 20);
    const int64_t row_count = random.integer(1, 150);
    Rows keys(random, format, vectors, row_count);
    const Rows values(random, {.codec = format.codec, .dim = value_dim}, vectors, row_count);
    const Rows leading(random, {.codec = CodecId::kBf16, .dim = format.dim}, 1, row_count / 3);
    const std::vector<float> q = numbers(random, vectors * queries * format.dim);
    const std::vector<float> sinks = random.normals(vectors * queries);
    std::vector<RowRange> seen;
    for (int64_t i = 0; i < queries; ++i)
      seen.push_back({i * (row_count - 1) / queries, 1 + (i + 1) * (row_count - 1) / queries});
    std::vector<float> out(vectors * queries * value_dim);
    std::vector<float> maxima(vectors * queries);
    std::vector<float> sums(vectors * queries);
    std::vector<float> scratch(vectors * attend_scratch_floats(format, value_dim, queries));
    AttendArgs args{.format = format,
                    .rows = keys.places.data(),
                    .values = is_latent ? nullptr : values.places.data(),
                    .value_dim = value_dim,
                    .vector_count = vectors,
                    .queries_per_vector = queries,
                    .row_count = row_count,
                    .seen = random.integer(0, 1) == 0 ? nullptr : seen.data(),
                    .q = q.data(),
                    .sinks = random.integer(0, 1) == 0 ? nullptr : sinks.data(),
                    .scale = 0.1f,
                    .soft_cap = random.integer(0, 2) == 0 ? 5.0f : 0.0f,
                    .out = out.data(),
                    .scratch = scratch.data()};
    if (is_latent && random.integer(0, 1) == 0) {
      args.leading_count = std::ssize(leading.places);
      args.leading_format = {.codec = CodecId::kBf16, .dim = format.dim};
      std::ranges::copy(leading.places, keys.places.begin());
    }
    if (random.integer(0, 1) == 0) {
      args.maxima = maxima.data();
      args.sums = sums.data();
    }
    table.attend(args, 0, queries);
    Bytes bytes;
    for (const auto* part : {&out, &maxima, &sums}) append(bytes, *part);
    return bytes;
  });
}

TEST(EqualBits, AttentionOverCodedBlocks) {
  expect_equal_bits(120, [](const KernelTable& table, Random& random) {
    const bool are_bytes = random.integer(0, 1) == 0;
    const auto make = [&](CodecId codec) {
      return CodedRows{.codec = are_bytes ? CodecId::kInt8Token : codec,
                       .shape = {.width = kTileCodeLanes * random.integer(1, 16)},
                       .row_count = kCodedRows};
    };
    const CodedRows keys = make(CodecId::kKvarn4Keys);
    const CodedRows values = make(CodecId::kKvarn4Values);
    const auto code = [&](const CodedRows& form) {
      const Codec& codec = codec_of(form.codec);
      Bytes codes(kCodedRows / codec.group_rows * codec.bytes(form.shape));
      encode_coded(form, random.normals(kCodedRows * form.shape.width).data(), codes.data());
      return codes;
    };
    const Bytes key_codes = code(keys);
    const Bytes value_codes = code(values);
    const int64_t queries = random.integer(1, 9);
    const int64_t width = values.shape.width;
    std::vector<float> q = numbers(random, queries * keys.shape.width);
    // Queries so small that the inverse of their largest is infinite.
    if (random.integer(0, 9) == 0) {
      for (float& value : q) value *= 0x1p-120f;
    }
    std::vector<float> out(queries * width);
    std::vector<float> maxima(queries);
    std::vector<float> sums(queries);
    std::vector<float> scratch(attend_coded_scratch_floats(keys.shape.width, values.shape.width));
    table.attend_coded({.keys = keys,
                        .key_codes = key_codes.data(),
                        .values = values,
                        .value_codes = value_codes.data(),
                        .q = q.data(),
                        .query_count = queries,
                        .scale = 0.2f,
                        .soft_cap = random.integer(0, 1) == 0 ? 3.0f : 0.0f,
                        .out = out.data(),
                        .maxima = maxima.data(),
                        .sums = sums.data(),
                        .scratch = scratch.data()});
    Bytes bytes;
    for (const auto* part : {&out, &maxima, &sums}) append(bytes, *part);
    return bytes;
  });
}

TEST(EqualBits, PartsOfAttention) {
  expect_equal_bits(100, [](const KernelTable& table, Random& random) {
    const int64_t queries = random.integer(1, 40);
    const int64_t dim = random.integer(1, 100);
    std::vector<float> later = numbers(random, queries * dim);
    std::vector<float> whole = numbers(random, queries * dim);
    std::vector<float> maxima = random.normals(2 * queries, 30);
    std::vector<float> sums = random.normals(2 * queries);
    for (float& sum : sums) sum = std::fabs(sum) + 1;
    maxima[random.integer(0, queries - 1)] = -std::numeric_limits<float>::infinity();
    const AttendedPart joined{.out = whole.data(), .maxima = maxima.data(), .sums = sums.data()};
    table.join_attended(
        {.out = later.data(), .maxima = maxima.data() + queries, .sums = sums.data() + queries},
        queries, dim, joined);
    table.finish_attended(joined, queries, dim);
    Bytes bytes;
    for (const auto* part : {&whole, &maxima, &sums}) append(bytes, *part);
    return bytes;
  });
}

// ---- index scores: queries are of each set's own making, so the scores are compared

Bytes index_scores(const KernelTable& table, Random& random, CodecId codec) {
  const RowFormat format{.codec = codec, .dim = 2 * random.integer(1, 128)};
  const int64_t heads = random.integer(1, 150);
  const int64_t key_count = random.integer(1, 20);
  Bytes keys(key_count * format.bytes());
  // Near scales are folded where a set can, far ones are not.
  const float spread = random.integer(0, 1) == 0 ? 0.2f : 3.0f;
  for (int64_t j = 0; j < key_count; ++j) {
    std::vector<float> key = random.normals(format.dim, std::exp(spread * random.normal()));
    for (int64_t i = 0; i < format.dim; i += 32) {
      const float factor = std::exp2(std::round(spread * random.normal()));
      for (int64_t k = i; k < std::min(i + 32, format.dim); ++k) key[k] *= factor;
    }
    encode_row(format, key.data(), keys.data() + j * format.bytes());
  }
  const std::vector<float> q = random.normals(heads * format.dim);
  std::vector<float> head_weights = random.normals(heads);
  if (random.integer(0, 3) == 0) head_weights[0] = 0x1p-60f;
  Bytes query(index_query_bytes(format, heads));
  table.encode_index_query(format, q.data(), heads, query.data());
  std::vector<float> scores(key_count);
  table.index_score({.format = format,
                     .head_count = heads,
                     .query = query.data(),
                     .head_weights = head_weights.data(),
                     .keys = keys.data(),
                     .key_count = key_count,
                     .scores = scores.data()});
  Bytes bytes;
  append(bytes, scores);
  return bytes;
}

TEST(EqualBits, IndexScores) {
  expect_equal_bits(120, [](const KernelTable& table, Random& random) {
    Bytes bytes;
    for (const CodecId codec : {CodecId::kFp4, CodecId::kBf16, CodecId::kF32, CodecId::kF16,
                                CodecId::kInt2Keys, CodecId::kSignKeys})
      append(bytes, index_scores(table, random, codec));
    return bytes;
  });
}

}  // namespace
}  // namespace kvasir::kernels
