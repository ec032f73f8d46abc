// KVQuant's codes (arXiv 2401.18079): the entry of an uneven codebook that is nearest, and of each
// hundred numbers one apart. The codebook is learnt beforehand, and so are the spans of keys.
//
//   code = the nearest entry to (x - center) / half, half-way to the lower
//   value = entry * half + center, or what stands apart
//
// Keys, 128 rows: each channel has a center and half a span for all blocks. The numbers farthest
// outside the spans stand apart, of equals the first.
//   side data: centers [width], halves [width], codebook [2^bits], all float32
//   bytes: the codes of each row (packed.h); outliers as half floats, their channels (16 bits),
//   their rows (8 bits). For 64 channels of 4 bits: 4,096 + 82 * 5
// Values, one row: center and half a span are the row's own, of what is left without its outliers.
//   side data: codebook [2^bits], float32
//   bytes: the codes; center and half, half floats; outliers, half floats, and their channels
#include "kernels/codecs/nuq.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "kernels/codecs/codec.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/scale.h"
#include "kernels/codecs/tile.h"
#include "kernels/unaligned.h"

namespace kvasir::kernels {
namespace {

constexpr int64_t kRows = 128;
constexpr int64_t kFloatBytes = sizeof(float);

constexpr int64_t outliers_of_tile(int64_t width) { return (kRows * width + 99) / 100; }

template <int kBits>
struct Codebook {
  static constexpr int64_t kEntries = int64_t{1} << kBits;
  std::array<float, kEntries> entries;
  std::array<float, kEntries - 1> middles;  // between an entry and the next

  explicit Codebook(const std::byte* in) {
    for (int64_t i = 0; i < kEntries; ++i) {
      entries[i] = load_unaligned<float>(in + i * kFloatBytes);
      if (i > 0) middles[i - 1] = (entries[i - 1] + entries[i]) / 2;
    }
  }

  uint8_t code_of(float value) const {
    int code = 0;
    for (const float middle : middles) code += value > middle ? 1 : 0;
    return static_cast<uint8_t>(code);
  }
};

// ---- keys ----

template <int kBits>
struct KeySide {
  std::array<float, kTileWidthMax> centers;
  std::array<float, kTileWidthMax> halves;
  Codebook<kBits> codebook;

  static int64_t bytes(const RowShape& shape) {
    return (2 * shape.width + Codebook<kBits>::kEntries) * kFloatBytes;
  }

  KeySide(const RowShape& shape, SideData side)
      : codebook(side.data() + 2 * shape.width * kFloatBytes) {
    KVASIR_CHECK(std::ssize(side) == bytes(shape), "the side data of these keys");
    for (int64_t i = 0; i < shape.width; ++i) {
      centers[i] = load_unaligned<float>(side.data() + i * kFloatBytes);
      halves[i] = load_unaligned<float>(side.data() + (shape.width + i) * kFloatBytes);
    }
  }
};

// Numbers of a tile that stand apart, by their places in it.
class TileOutliers {
 public:
  explicit TileOutliers(int64_t width) : capacity_(outliers_of_tile(width)) {}

  // excess: how far outside its span the number lies; negative inside. Places come in order.
  void offer(float excess, int64_t place) {
    const Candidate one{excess, static_cast<int32_t>(place)};
    auto* const end = heap_.data() + count_;
    if (count_ < capacity_) {
      heap_[count_++] = one;
      std::push_heap(heap_.data(), end + 1, goes_last);
    } else if (excess > heap_[0].excess) {
      std::pop_heap(heap_.data(), end, goes_last);
      end[-1] = one;
      std::push_heap(heap_.data(), end, goes_last);
    }
  }

  void write(const float* rows, int64_t width, std::byte* out) {
    std::sort(heap_.data(), heap_.data() + count_,
              [](const Candidate& a, const Candidate& b) { return a.place < b.place; });
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t place = heap_[i].place;
      put_f16(out + 2 * i, rows[place]);
      store_unaligned(out + 2 * (count_ + i), static_cast<uint16_t>(place % width));
      out[4 * count_ + i] = static_cast<std::byte>(place / width);
    }
  }

 private:
  struct Candidate {
    float excess;
    int32_t place;
  };
  // The first to make room is the heap's top: the smallest excess, of equals the last place.
  static bool goes_last(const Candidate& a, const Candidate& b) {
    return a.excess > b.excess || (a.excess == b.excess && a.place < b.place);
  }

  std::array<Candidate, outliers_of_tile(kTileWidthMax)> heap_;
  int64_t capacity_;
  int64_t count_ = 0;
};

template <int kBits>
struct NuqKeys {
  static int64_t codes_bytes(int64_t width) { return kRows * packed_bytes(kBits, width); }

  static int64_t bytes(const RowShape& shape) {
    return codes_bytes(shape.width) + 5 * outliers_of_tile(shape.width);
  }

  static void encode(const RowShape& shape, SideData side, const float* rows, std::byte* group) {
    const int64_t width = shape.width;
    KVASIR_CHECK(width <= kTileWidthMax, "rows of a tile's width");
    const KeySide<kBits> keys(shape, side);
    TileOutliers outliers(width);
    std::array<uint8_t, kTileWidthMax> codes;
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t i = 0; i < width; ++i) {
        const float offset = rows[r * width + i] - keys.centers[i];
        outliers.offer(std::fabs(offset) - keys.halves[i], r * width + i);
        codes[i] = keys.codebook.code_of(offset / divisor_of(keys.halves[i]));
      }
      pack_codes(kBits, codes.data(), width, group + r * packed_bytes(kBits, width));
    }
    outliers.write(rows, width, group + codes_bytes(width));
  }

  static void decode(const RowShape& shape, SideData side, const std::byte* group,
                     int64_t row_begin, int64_t row_end, float* rows) {
    const int64_t width = shape.width;
    const KeySide<kBits> keys(shape, side);
    std::array<uint8_t, kTileWidthMax> codes;
    for (int64_t r = row_begin; r < row_end; ++r) {
      float* row = rows + (r - row_begin) * width;
      unpack_codes(kBits, group + r * packed_bytes(kBits, width), width, codes.data());
      for (int64_t i = 0; i < width; ++i) {
        row[i] = keys.codebook.entries[codes[i]] * keys.halves[i] + keys.centers[i];
      }
    }
    put_back(group + codes_bytes(width), width, row_begin, row_end, rows);
  }

  static void put_back(const std::byte* outliers, int64_t width, int64_t row_begin, int64_t row_end,
                       float* rows) {
    const int64_t count = outliers_of_tile(width);
    for (int64_t i = 0; i < count; ++i) {
      const auto row = static_cast<int64_t>(outliers[4 * count + i]);
      const int64_t channel = load_unaligned<uint16_t>(outliers + 2 * (count + i));
      // Bytes that damage changed name any place.
      if (row < row_begin || row >= row_end || channel >= width) continue;
      rows[(row - row_begin) * width + channel] = get_f16(outliers + 2 * i);
    }
  }
};

// ---- values ----

template <int kBits>
struct NuqValues {
  static int64_t bytes(const RowShape& shape) {
    return packed_bytes(kBits, shape.width) + 4 + 4 * nuq_outliers_of_row(shape.width);
  }

  static int64_t side_bytes(const RowShape&) { return Codebook<kBits>::kEntries * kFloatBytes; }

  static void encode(const RowShape& shape, SideData side, const float* row, std::byte* out) {
    const int64_t width = shape.width;
    KVASIR_CHECK(width <= kTileWidthMax, "rows of a tile's width");
    KVASIR_CHECK(std::ssize(side) == side_bytes(shape), "the side data of these values");
    const Codebook<kBits> codebook(side.data());
    std::array<uint16_t, nuq_outliers_of_row(kTileWidthMax)> outliers;
    std::array<uint8_t, kTileWidthMax> codes;
    const NuqSpan span = nuq_span_of_row(row, width, outliers.data());
    for (int64_t i = 0; i < width; ++i) {
      codes[i] = codebook.code_of((row[i] - span.center) / divisor_of(span.half));
    }
    pack_codes(kBits, codes.data(), width, out);
    out += packed_bytes(kBits, width);
    put_f16(out, span.center);
    put_f16(out + 2, span.half);
    const int64_t count = nuq_outliers_of_row(width);
    for (int64_t i = 0; i < count; ++i) {
      put_f16(out + 4 + 2 * i, row[outliers[i]]);
      store_unaligned(out + 4 + 2 * (count + i), outliers[i]);
    }
  }

  static void decode(const RowShape& shape, SideData side, const std::byte* group,
                     int64_t row_begin, int64_t row_end, float* rows) {
    KVASIR_CHECK(std::ssize(side) == side_bytes(shape), "the side data of these values");
    const Codebook<kBits> codebook(side.data());
    for (int64_t r = row_begin; r < row_end; ++r, rows += shape.width) {
      decode_row(shape.width, codebook, group + r * bytes(shape), rows);
    }
  }

  static void decode_row(int64_t width, const Codebook<kBits>& codebook, const std::byte* in,
                         float* row) {
    std::array<uint8_t, kTileWidthMax> codes;
    unpack_codes(kBits, in, width, codes.data());
    in += packed_bytes(kBits, width);
    const float center = get_f16(in);
    const float half = get_f16(in + 2);
    for (int64_t i = 0; i < width; ++i) row[i] = codebook.entries[codes[i]] * half + center;
    const int64_t count = nuq_outliers_of_row(width);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t channel = load_unaligned<uint16_t>(in + 4 + 2 * (count + i));
      if (channel < width) row[channel] = get_f16(in + 4 + 2 * i);
    }
  }
};

template <int kBits>
constexpr Codec keys_codec(CodecId id, const char* name) {
  Codec codec = tile_codec(id, name, kRows, NuqKeys<kBits>::bytes, NuqKeys<kBits>::encode,
                           NuqKeys<kBits>::decode);
  codec.side_bytes = KeySide<kBits>::bytes;
  return codec;
}

template <int kBits>
constexpr Codec values_codec(CodecId id, const char* name) {
  Codec codec = tile_codec(id, name, 1, NuqValues<kBits>::bytes, NuqValues<kBits>::encode,
                           NuqValues<kBits>::decode);
  codec.side_bytes = NuqValues<kBits>::side_bytes;
  return codec;
}

}  // namespace

NuqSpan nuq_span_of_row(const float* row, int64_t width, uint16_t* outliers) {
  KVASIR_CHECK(width > 0 && width <= kTileWidthMax, "a row of a tile's width");
  std::array<uint16_t, kTileWidthMax> order;
  for (int64_t i = 0; i < width; ++i) order[i] = static_cast<uint16_t>(i);
  std::sort(order.data(), order.data() + width, [row](uint16_t a, uint16_t b) {
    return row[a] < row[b] || (row[a] == row[b] && a < b);
  });
  int64_t low = 0;
  int64_t high = width - 1;
  for (int64_t i = 0; i < nuq_outliers_of_row(width); ++i) {
    const bool has_two = low < high;
    const float below = has_two ? row[order[low + 1]] - row[order[low]] : 0;
    const float above = has_two ? row[order[high]] - row[order[high - 1]] : 0;
    outliers[i] = above > below ? order[high--] : order[low++];
  }
  if (low > high) return {};
  const float min = row[order[low]];
  const float max = row[order[high]];
  return {.center = f16_rounded(plus_zero(min / 2 + max / 2)),
          .half = f16_rounded(plus_zero(max / 2 - min / 2))};
}

constinit const Codec kNuq4KeysCodec = keys_codec<4>(CodecId::kNuq4Keys, "nuq4-keys");
constinit const Codec kNuq3KeysCodec = keys_codec<3>(CodecId::kNuq3Keys, "nuq3-keys");
constinit const Codec kNuq2KeysCodec = keys_codec<2>(CodecId::kNuq2Keys, "nuq2-keys");
constinit const Codec kNuq4ValuesCodec = values_codec<4>(CodecId::kNuq4Values, "nuq4-values");
constinit const Codec kNuq3ValuesCodec = values_codec<3>(CodecId::kNuq3Values, "nuq3-values");
constinit const Codec kNuq2ValuesCodec = values_codec<2>(CodecId::kNuq2Values, "nuq2-values");

}  // namespace kvasir::kernels
