// KVarN (arXiv 2606.03458): rows and channels of a tile of 128 rows are balanced by their standard
// deviations, then coded with a scale and a minimum. Keys and values arrive rotated: an orthogonal
// matrix has spread what stood out in single channels.
//
//   keys    scale and min of each channel along the rows, a factor of each row
//   values  scale and min of each row along the channels, a factor of each channel
//   value = (code * scale + min) * factor; half floats, rounded before anything is coded by them
//
// Bytes: the codes of each row (packed.h), then scales, minima, factors. For 64 channels of 4 bits:
// 4,608 for keys, 4,736 for values. Four-bit codes of whole tiles lie so that attend_coded can
// multiply them as they lie: a lane is a row of keys, or a channel of values.
//
// Balancing goes eight rounds, and the last one counts whatever it is worth: to choose the best
// would be to compare sums, and the last bit of one could change every code. Deviations are taken
// in units of half the tile's root mean square, so that their bounds do not depend on how large
// the model's numbers are. The other axis is balanced too, but its factors need no place: scale
// and min hold them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "kernels/codecs/codec.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/tile.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 128;
constexpr int kRounds = 8;

constexpr float kDeviationMin = 1e-3f;
constexpr float kDeviationMax = 1e3f;
constexpr float kFactorMin = 0.740818221f;  // e^-0.3
constexpr float kFactorMax = 22026.4658f;   // e^10

// The smallest half float. What is smaller is left to scale and min.
constexpr float kStoredFactorMin = 0x1p-24f;

// ---- deviations ----

// Lane i takes lane i + 8, then i + 4, i + 2, i + 1.
float pairwise_sum(const Lanes& lanes) {
  std::array<float, 8> eight;
  for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
  std::array<float, 4> four;
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

// Of `count` values, from the sums of what they differ from one of them. The deviation of one value
// is 0.
float standard_deviation(float sum, float squares, int64_t count) {
  if (count < 2) return 0;
  const auto n = static_cast<float>(count);
  return std::sqrt(std::max(0.0f, (squares - sum * (sum / n)) / (n - 1)));
}

// Of the values of a row times `weights`. Channel c belongs to lane c % 16.
float row_deviation(const float* row, int64_t width, const float* weights) {
  const float pivot = row[0] * weights[0];
  Lanes sum{};
  Lanes squares{};
  for_lanes(width, [&](int64_t first, auto count) {
    for (int64_t i = 0; i < count; ++i) {
      const float value = row[first + i] * weights[first + i] - pivot;
      sum[i] += value;
      squares[i] += value * value;
    }
  });
  return standard_deviation(pairwise_sum(sum), pairwise_sum(squares), width);
}

// Of the values of `count` channels times the weights of their rows, row after row.
template <class Count>
Lanes channel_deviations(const float* rows, int64_t width, const float* weights, Count count) {
  Lanes pivot{};
  for (int64_t i = 0; i < count; ++i) pivot[i] = rows[i] * weights[0];
  Lanes sum{};
  Lanes squares{};
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t i = 0; i < count; ++i) {
      const float value = rows[r * width + i] * weights[r] - pivot[i];
      sum[i] += value;
      squares[i] += value * value;
    }
  }
  Lanes deviations{};
  for (int64_t i = 0; i < count; ++i) deviations[i] = standard_deviation(sum[i], squares[i], kRows);
  return deviations;
}

// Half the root mean square of a tile, within the range of half floats.
float unit_of(const float* rows, int64_t width) {
  float squares = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    Lanes lanes{};
    for_lanes(width, [&](int64_t first, auto count) {
      for (int64_t i = 0; i < count; ++i) {
        const float value = rows[r * width + first + i];
        lanes[i] += value * value;
      }
    });
    squares += pairwise_sum(lanes);
  }
  return std::clamp(std::sqrt(squares / static_cast<float>(kRows * width)) / 2, 0x1p-24f, 65504.0f);
}

// ---- balancing ----

// Factors of the rows or channels of a tile in its unit, and their inverses.
template <int64_t kCount>
class Factors {
 public:
  Factors() {
    factors_.fill(1);
    inverses_.fill(1);
  }

  void multiply(int64_t index, float deviation) {
    const float step = std::clamp(deviation * inverses_[index], kDeviationMin, kDeviationMax);
    factors_[index] = std::clamp(factors_[index] * step, kFactorMin, kFactorMax);
    inverses_[index] = 1 / factors_[index];
  }

  const float* inverses() const { return inverses_.data(); }

  // As they are stored, in the unit of the values.
  void store(float unit, int64_t count, float* stored) const {
    for (int64_t i = 0; i < count; ++i) {
      stored[i] = f16_rounded(std::max(factors_[i] * unit, kStoredFactorMin));
    }
  }

 private:
  std::array<float, kCount> factors_;
  std::array<float, kCount> inverses_;
};

class Balance {
 public:
  // REQUIRES: rows outlive this.
  Balance(const float* rows, int64_t width)
      : rows_(rows), width_(width), unit_(unit_of(rows, width)) {}

  void balance_rows() {
    for (int64_t r = 0; r < kRows; ++r) {
      const float deviation =
          row_deviation(rows_ + r * width_, width_, channel_factors_.inverses());
      row_factors_.multiply(r, deviation / unit_);
    }
  }

  void balance_channels() {
    for_lanes(width_, [&](int64_t first, auto count) {
      const Lanes deviations =
          channel_deviations(rows_ + first, width_, row_factors_.inverses(), count);
      for (int64_t i = 0; i < count; ++i)
        channel_factors_.multiply(first + i, deviations[i] / unit_);
    });
  }

  void store_rows(float* factors) const { row_factors_.store(unit_, kRows, factors); }
  void store_channels(float* factors) const { channel_factors_.store(unit_, width_, factors); }

 private:
  const float* rows_;
  int64_t width_;
  float unit_;
  Factors<kRows> row_factors_;
  Factors<kTileWidthMax> channel_factors_;
};

// What is stored goes first, and the other axis is not needed behind the last round.
void balanced_row_factors(const float* rows, int64_t width, float* factors) {
  Balance balance(rows, width);
  balance.balance_rows();
  for (int round = 1; round < kRounds; ++round) {
    balance.balance_channels();
    balance.balance_rows();
  }
  balance.store_rows(factors);
}

void balanced_channel_factors(const float* rows, int64_t width, float* factors) {
  Balance balance(rows, width);
  balance.balance_channels();
  for (int round = 1; round < kRounds; ++round) {
    balance.balance_rows();
    balance.balance_channels();
  }
  balance.store_channels(factors);
}

// ---- where codes lie ----

// The codes of a row, channel after channel.
template <int kBits, bool kLanesAreRows>
struct RowCodes {
  static bool is_tiled(int64_t width) {
    return kBits == 4 &&
           (kLanesAreRows ? fills_code_tile(kRows, width) : fills_code_tile(width, kRows));
  }
  static TileCodePlace place(int64_t width, int64_t row, int64_t channel) {
    return kLanesAreRows ? tile_code_place(width, row, channel)
                         : tile_code_place(kRows, channel, row);
  }

  static void put(const uint8_t* codes, int64_t width, int64_t row, std::byte* tile) {
    if (!is_tiled(width)) {
      pack_codes(kBits, codes, width, tile + row * packed_bytes(kBits, width));
      return;
    }
    for (int64_t c = 0; c < width; ++c) {
      const TileCodePlace at = place(width, row, c);
      const std::byte kept{static_cast<uint8_t>(at.shift == 0 ? 0xf0 : 0x0f)};
      tile[at.byte] = (tile[at.byte] & kept) | std::byte{codes[c]} << at.shift;
    }
  }

  static void get(const std::byte* tile, int64_t width, int64_t row, uint8_t* codes) {
    if (!is_tiled(width)) {
      unpack_codes(kBits, tile + row * packed_bytes(kBits, width), width, codes);
      return;
    }
    for (int64_t c = 0; c < width; ++c) {
      const TileCodePlace at = place(width, row, c);
      codes[c] = static_cast<uint8_t>(tile[at.byte] >> at.shift & std::byte{15});
    }
  }
};

// ---- keys: a scale and a min of each channel, a factor of each row ----

template <int kBits>
struct Keys {
  using Codes = RowCodes<kBits, true>;

  static int64_t codes_bytes(int64_t width) { return kRows * packed_bytes(kBits, width); }

  static int64_t bytes(const RowShape& shape) {
    return codes_bytes(shape.width) + 2 * (2 * shape.width + kRows);
  }

  static void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
    const int64_t width = shape.width;
    KVASIR_CHECK(width <= kTileWidthMax, "rows of a tile's width");
    std::array<float, kRows> factors;
    balanced_row_factors(rows, width, factors.data());
    TileSteps steps;
    std::array<uint8_t, kTileWidthMax> codes;
    set_channel_steps(kBits, rows, kRows, width, factors.data(), &steps);
    for (int64_t r = 0; r < kRows; ++r) {
      std::fill_n(steps.factor.data(), width, factors[r]);
      code_tile_row(kBits, width, steps, rows + r * width, codes.data());
      Codes::put(codes.data(), width, r, group);
    }
    std::byte* scales = group + codes_bytes(width);
    put_f16s(scales, steps.scale.data(), width);
    put_f16s(scales + 2 * width, steps.min.data(), width);
    put_f16s(scales + 4 * width, factors.data(), kRows);
  }

  static void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
                     int64_t row_end, float* rows) {
    const int64_t width = shape.width;
    const std::byte* scales = group + codes_bytes(width);
    TileSteps steps;
    std::array<uint8_t, kTileWidthMax> codes;
    get_f16s(scales, width, steps.scale.data());
    get_f16s(scales + 2 * width, width, steps.min.data());
    for (int64_t r = row_begin; r < row_end; ++r, rows += width) {
      std::fill_n(steps.factor.data(), width, get_f16(scales + 4 * width + 2 * r));
      Codes::get(group, width, r, codes.data());
      value_tile_row(width, steps, codes.data(), rows);
    }
  }
};

// ---- values: a scale and a min of each row, a factor of each channel ----

void set_row_steps(int bits, const float* row, int64_t width, TileSteps* steps) {
  Lanes min;
  Lanes max;
  min.fill(std::numeric_limits<float>::infinity());
  max.fill(-std::numeric_limits<float>::infinity());
  for_lanes(width, [&](int64_t first, auto count) {
    for (int64_t i = 0; i < count; ++i) {
      const float value = row[first + i] / steps->factor[first + i];
      min[i] = std::min(min[i], value);
      max[i] = std::max(max[i], value);
    }
  });
  const float row_min = *std::min_element(min.begin(), min.end());
  const float row_max = *std::max_element(max.begin(), max.end());
  std::fill_n(steps->scale.data(), width, affine_scale(bits, row_min, row_max));
  std::fill_n(steps->min.data(), width, affine_min(row_min));
}

template <int kBits>
struct Values {
  using Codes = RowCodes<kBits, false>;

  static int64_t codes_bytes(int64_t width) { return kRows * packed_bytes(kBits, width); }

  static int64_t bytes(const RowShape& shape) {
    return codes_bytes(shape.width) + 2 * (2 * kRows + shape.width);
  }

  static void encode(const RowShape& shape, SideData, const float* rows, std::byte* group) {
    const int64_t width = shape.width;
    KVASIR_CHECK(width <= kTileWidthMax, "rows of a tile's width");
    TileSteps steps;
    std::array<uint8_t, kTileWidthMax> codes;
    balanced_channel_factors(rows, width, steps.factor.data());
    std::byte* scales = group + codes_bytes(width);
    for (int64_t r = 0; r < kRows; ++r) {
      set_row_steps(kBits, rows + r * width, width, &steps);
      code_tile_row(kBits, width, steps, rows + r * width, codes.data());
      Codes::put(codes.data(), width, r, group);
      put_f16(scales + 2 * r, steps.scale[0]);
      put_f16(scales + 2 * (kRows + r), steps.min[0]);
    }
    put_f16s(scales + 4 * kRows, steps.factor.data(), width);
  }

  static void decode(const RowShape& shape, SideData, const std::byte* group, int64_t row_begin,
                     int64_t row_end, float* rows) {
    const int64_t width = shape.width;
    const std::byte* scales = group + codes_bytes(width);
    TileSteps steps;
    std::array<uint8_t, kTileWidthMax> codes;
    get_f16s(scales + 4 * kRows, width, steps.factor.data());
    for (int64_t r = row_begin; r < row_end; ++r, rows += width) {
      std::fill_n(steps.scale.data(), width, get_f16(scales + 2 * r));
      std::fill_n(steps.min.data(), width, get_f16(scales + 2 * (kRows + r)));
      Codes::get(group, width, r, codes.data());
      value_tile_row(width, steps, codes.data(), rows);
    }
  }
};

template <int kBits>
constexpr Codec keys_codec(CodecId id, const char* name) {
  return tile_codec(id, name, kRows, Keys<kBits>::bytes, Keys<kBits>::encode, Keys<kBits>::decode);
}

template <int kBits>
constexpr Codec values_codec(CodecId id, const char* name) {
  return tile_codec(id, name, kRows, Values<kBits>::bytes, Values<kBits>::encode,
                    Values<kBits>::decode);
}

}  // namespace

constinit const Codec kKvarn4KeysCodec = keys_codec<4>(CodecId::kKvarn4Keys, "kvarn4-keys");
constinit const Codec kKvarn3KeysCodec = keys_codec<3>(CodecId::kKvarn3Keys, "kvarn3-keys");
constinit const Codec kKvarn2KeysCodec = keys_codec<2>(CodecId::kKvarn2Keys, "kvarn2-keys");
constinit const Codec kKvarn4ValuesCodec = values_codec<4>(CodecId::kKvarn4Values, "kvarn4-values");
constinit const Codec kKvarn3ValuesCodec = values_codec<3>(CodecId::kKvarn3Values, "kvarn3-values");
constinit const Codec kKvarn2ValuesCodec = values_codec<2>(CodecId::kKvarn2Values, "kvarn2-values");

}  // namespace kvasir::kernels
