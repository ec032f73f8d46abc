// Rows as their shares of a few directions, a basis of `rank` vectors: lowrank75 keeps three
// quarters of as many as there are channels, lowrank50 half. 128 rows:
//
//   coefficient = f16(basis vector . x),  value = sum of coefficients times basis vectors
//
//   side data: basis [rank, width], half floats
//   bytes: coefficients [128, rank], half floats
//
// oja75 and oja50 let the basis follow the rows (OjaKV): behind the coefficients lies the basis of
// the next block, orthonormalised in order,
//
//   basis + rate * width / trace(X^T X) * X^T X basis,   rate = .05
//
// so that each block can be decoded with the one before it. X: the rows of this block.
#include "kernels/codecs/low_rank.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "kernels/codecs/lane_sum.h"
#include "kernels/codecs/scale.h"
#include "kernels/codecs/tile.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 128;
constexpr float kRate = .05f;
// A direction that is shorter than this after what earlier ones have of it is gone.
constexpr float kShortest = 1e-3f;

using Vector = std::array<float, kTileWidthMax>;

float product(const float* a, const float* b, int64_t size) {
  return lane_sum(size, [=](int64_t i) { return a[i] * b[i]; });
}

void add_times(float factor, const float* x, int64_t size, float* sum) {
  for (int64_t i = 0; i < size; ++i) sum[i] += factor * x[i];
}

// A basis as it is stored: half floats [rank, width].
struct StoredBasis {
  const std::byte* data;
  int64_t width;
  void read(int64_t index, float* vector) const {
    get_f16s(data + 2 * index * width, width, vector);
  }
};

// Takes out of a vector what the first `count` of the basis have of it. Returns its length then.
float take_out(const StoredBasis& basis, int64_t count, float* vector) {
  Vector other;
  for (int64_t i = 0; i < count; ++i) {
    basis.read(i, other.data());
    add_times(-product(vector, other.data(), basis.width), other.data(), basis.width, vector);
  }
  return std::sqrt(product(vector, vector, basis.width));
}

// basis, rows [kRows, width] -> next [rank, width]
void write_next_basis(const StoredBasis& basis, int64_t rank, const float* rows, std::byte* next) {
  const int64_t width = basis.width;
  const float trace = product(rows, rows, kRows * width);
  const float rate = trace > 0 ? kRate * static_cast<float>(width) / trace : 0;
  Vector old;
  Vector learnt;
  for (int64_t k = 0; k < rank; ++k) {
    basis.read(k, old.data());
    learnt = old;
    for (int64_t r = 0; r < kRows; ++r) {
      const float* row = rows + r * width;
      add_times(rate * product(row, old.data(), width), row, width, learnt.data());
    }
    float length = take_out({next, width}, k, learnt.data());
    if (!(length >= kShortest) || !std::isfinite(length)) {
      learnt = old;
      length = 1;
    }
    for (int64_t i = 0; i < width; ++i) learnt[i] /= length;
    put_f16s(next + 2 * k * width, learnt.data(), width);
  }
}

constexpr int64_t rank_of_percent(int64_t percent, int64_t width) {
  return (percent * width + 99) / 100;
}

template <int kPercent, bool kFollows>
struct LowRank {
  static int64_t rank(const RowShape& shape) { return rank_of_percent(kPercent, shape.width); }
  static int64_t basis_bytes(const RowShape& shape) { return 2 * rank(shape) * shape.width; }
  static int64_t coefficients_bytes(const RowShape& shape) { return 2 * kRows * rank(shape); }
  static int64_t bytes(const RowShape& shape) {
    return coefficients_bytes(shape) + (kFollows ? basis_bytes(shape) : 0);
  }
  static SideData next_side(const RowShape& shape, const std::byte* group) {
    return {group + coefficients_bytes(shape), static_cast<size_t>(basis_bytes(shape))};
  }

  static void encode(const RowShape& shape, SideData side, const float* rows, std::byte* group) {
    KVASIR_CHECK(shape.width <= kTileWidthMax, "rows of a tile's width");
    KVASIR_CHECK(std::ssize(side) == basis_bytes(shape), "the basis of these rows");
    const StoredBasis basis{side.data(), shape.width};
    Vector vector;
    for (int64_t k = 0; k < rank(shape); ++k) {
      basis.read(k, vector.data());
      for (int64_t r = 0; r < kRows; ++r) {
        const float share = product(rows + r * shape.width, vector.data(), shape.width);
        put_f16(group + 2 * (r * rank(shape) + k), share);
      }
    }
    if constexpr (kFollows) {
      write_next_basis(basis, rank(shape), rows, group + coefficients_bytes(shape));
    }
  }

  static void decode(const RowShape& shape, SideData side, const std::byte* group,
                     int64_t row_begin, int64_t row_end, float* rows) {
    KVASIR_CHECK(std::ssize(side) == basis_bytes(shape), "the basis of these rows");
    const StoredBasis basis{side.data(), shape.width};
    Vector vector;
    std::fill_n(rows, (row_end - row_begin) * shape.width, 0.0f);
    for (int64_t k = 0; k < rank(shape); ++k) {
      basis.read(k, vector.data());
      for (int64_t r = row_begin; r < row_end; ++r) {
        add_times(get_f16(group + 2 * (r * rank(shape) + k)), vector.data(), shape.width,
                  rows + (r - row_begin) * shape.width);
      }
    }
  }
};

template <int kPercent, bool kFollows>
constexpr Codec low_rank_codec(CodecId id, const char* name) {
  using Form = LowRank<kPercent, kFollows>;
  Codec codec = tile_codec(id, name, kRows, Form::bytes, Form::encode, Form::decode);
  codec.side_bytes = Form::basis_bytes;
  if constexpr (kFollows) codec.next_side = Form::next_side;
  return codec;
}

}  // namespace

int64_t rank_of(CodecId codec, int64_t width) {
  switch (codec) {
    case CodecId::kLowRank75:
    case CodecId::kOja75:
      return rank_of_percent(75, width);
    case CodecId::kLowRank50:
    case CodecId::kOja50:
      return rank_of_percent(50, width);
    default:
      return 0;
  }
}

constinit const Codec kLowRank75Codec = low_rank_codec<75, false>(CodecId::kLowRank75, "lowrank75");
constinit const Codec kLowRank50Codec = low_rank_codec<50, false>(CodecId::kLowRank50, "lowrank50");
constinit const Codec kOja75Codec = low_rank_codec<75, true>(CodecId::kOja75, "oja75");
constinit const Codec kOja50Codec = low_rank_codec<50, true>(CodecId::kOja50, "oja50");

}  // namespace kvasir::kernels
