// matmul computes y = W x straight from the stored codes. Included once per instruction set.
//
// With few tokens, rows are decoded in registers and stream past once. With many, a panel of rows
// is decoded into scratch and used again and again. Either way an output is summed as in dot_block.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

// Where rows begin and how far apart they are. Scales of tiles are found by tile instead.
struct RowCodes {
  const uint8_t* codes;
  int64_t stride;  // of the codes, bytes
  const uint8_t* scales;
  int64_t scale_stride;  // bytes
};

constexpr bool is_fp4(WeightFormat format) { return format == WeightFormat::kFp4ScaleE8m0; }
constexpr bool has_float_tiles(WeightFormat format) {
  return format == WeightFormat::kFp8ScaleF32 || format == WeightFormat::kInt8ScaleF32;
}
// One byte a code, one scale a tile.
constexpr bool has_tiles(WeightFormat format) {
  return format == WeightFormat::kFp8ScaleE8m0 || has_float_tiles(format);
}

// Columns that are summed at a time. Where scales are in float32, fewer may share one.
constexpr int64_t chunk_cols(WeightFormat format) { return is_fp4(format) ? 32 : kFp8TileSize; }

constexpr int64_t bits_of_code(WeightFormat format) {
  return format == WeightFormat::kF32 ? 32 : has_tiles(format) ? 8 : is_fp4(format) ? 4 : 16;
}

constexpr int64_t scale_bytes(WeightFormat format) { return has_float_tiles(format) ? 4 : 1; }

// What a code of one byte, as it is loaded, lacks besides its scale.
constexpr float code_factor(WeightFormat format) {
  return format == WeightFormat::kInt8ScaleF32 ? 1.0f : kFp8Factor;
}

template <WeightFormat kFormat>
KVASIR_INLINE int64_t cols_of_scale(const WeightMatrix& weight) {
  if constexpr (has_float_tiles(kFormat)) return smaller(weight.tile_cols, chunk_cols(kFormat));
  return chunk_cols(kFormat);
}

KVASIR_INLINE int64_t stored_row(const WeightMatrix& weight, int64_t row) {
  return weight.scale_row_offset + row * weight.row_step;
}

template <WeightFormat kFormat>
KVASIR_INLINE int64_t tile_row(const WeightMatrix& weight, int64_t row) {
  const int64_t size = has_float_tiles(kFormat) ? weight.tile_rows : kFp8TileSize;
  return stored_row(weight, row) / size;
}

// The index, in its row of scales, of the one of a column. Widths are far below 2^32.
template <WeightFormat kFormat>
KVASIR_INLINE int64_t scale_index(const WeightMatrix& weight, int64_t column) {
  if constexpr (!has_float_tiles(kFormat)) return column / chunk_cols(kFormat);
  return static_cast<uint32_t>(column) / static_cast<uint32_t>(weight.tile_cols);
}

template <WeightFormat kFormat>
KVASIR_INLINE RowCodes codes_of_row(const WeightMatrix& weight, int64_t row) {
  RowCodes result = {};
  result.stride = weight.row_step * ((weight.cols * bits_of_code(kFormat) + 7) / 8);
  result.codes = reinterpret_cast<const uint8_t*>(weight.data) + row * result.stride;
  const int64_t scale_row =
      has_tiles(kFormat) ? tile_row<kFormat>(weight, row) : stored_row(weight, row);
  const int64_t row_of_scales = weight.scale_cols * scale_bytes(kFormat);
  result.scales = reinterpret_cast<const uint8_t*>(weight.scales) + scale_row * row_of_scales;
  result.scale_stride = weight.row_step * row_of_scales;
  return result;
}

template <WeightFormat kFormat>
KVASIR_INLINE float tile_scale(const uint8_t* scales, int64_t tile) {
  if constexpr (has_float_tiles(kFormat)) return load_value<float>(scales + 4 * tile);
  return kScaleTables.ue8m0[scales[tile]];
}

// Decodes kLanes elements at column k; `count` of them exist if they are partial. An element of
// one byte still lacks its scale and code_factor; FP4 comes in the order of arrange_for_fp4.
template <WeightFormat kFormat>
struct Decoder {
  static KVASIR_INLINE Vec whole(const uint8_t* codes, int64_t k, const float* fp4_values) {
    if constexpr (kFormat == WeightFormat::kF32) {
      return load(reinterpret_cast<const float*>(codes + 4 * k));
    } else if constexpr (kFormat == WeightFormat::kF16) {
      return load_f16(codes + 2 * k);
    } else if constexpr (kFormat == WeightFormat::kBf16) {
      return load_bf16(codes + 2 * k);
    } else if constexpr (kFormat == WeightFormat::kInt8ScaleF32) {
      return load_signed_bytes(codes + k);
    } else if constexpr (has_tiles(kFormat)) {
      return load_fp8(codes + k);
    } else {
      return load_fp4(codes + k / 2, fp4_values);
    }
  }

  static KVASIR_INLINE Vec partial(const uint8_t* codes, int64_t k, const float* fp4_values,
                                   int64_t count) {
    if constexpr (kFormat == WeightFormat::kF32) {
      return load(reinterpret_cast<const float*>(codes + 4 * k), first_lanes(count));
    } else if constexpr (kFormat == WeightFormat::kF16) {
      return load_f16(codes + 2 * k, count);
    } else if constexpr (kFormat == WeightFormat::kBf16) {
      return load_bf16(codes + 2 * k, count);
    } else if constexpr (kFormat == WeightFormat::kInt8ScaleF32) {
      return load_signed_bytes(codes + k, count);
    } else if constexpr (has_tiles(kFormat)) {
      return load_fp8(codes + k, count);
    } else {
      return load_fp4(codes + k / 2, fp4_values, count);
    }
  }
};

// ---- few tokens

// Rows that lie apart: so many at most are read at once, with lines fetched so far ahead, where
// each part is long and the tokens leave room in the L1 cache.
constexpr int kFarRowsMax = 4;
constexpr int64_t kFarAheadBytes = 1024;
constexpr int64_t kFarBytesMin = 1 << 15;
constexpr int64_t kFarFloatsMax = 4096;

// How a block of rows times a block of tokens is summed.
enum class DirectKind {
  kNear,          // rows that follow each other
  kScalesTokens,  // these share FP8 tiles whose power-of-two scales go to the tokens instead: the
                  // same products, bit for bit, where can_scale_tokens holds
  kFar            // rows that lie apart, of a format without scales
};

// A block of rows times a block of tokens, summed in registers.
template <WeightFormat kFormat, int kRows, int kTokens, DirectKind kKind>
struct DirectBlock {
  using Format = Decoder<kFormat>;
  static constexpr bool kScalesTokens = kKind == DirectKind::kScalesTokens;
  static constexpr bool kIsFar = kKind == DirectKind::kFar;

  const MatmulArgs& args;
  int64_t row_gap;  // 1 but for rows that lie apart
  RowCodes rows;
  const uint8_t* tile_scales[kRows];  // of tiles only: each row's first scale
  Vec sums[kRows][kTokens];

  KVASIR_INLINE DirectBlock(const MatmulArgs& matmul_args, int64_t row, int64_t gap)
      : args(matmul_args), row_gap(gap) {
    rows = codes_of_row<kFormat>(args.weight, row);
    if constexpr (kIsFar) rows.stride *= gap;
    KVASIR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      if constexpr (has_tiles(kFormat))
        tile_scales[r] = codes_of_row<kFormat>(args.weight, row + r).scales;
      KVASIR_UNROLL
      for (int t = 0; t < kTokens; ++t) sums[r][t] = zero();
    }
  }

  // What elements from this column on are multiplied by, and their FP4 values.
  struct Scales {
    float factors[kRows];
    const float* fp4_values[kRows];
  };
  KVASIR_INLINE Scales load_scales(int64_t column) const {
    const int64_t index = scale_index<kFormat>(args.weight, column);
    Scales scales;
    KVASIR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      scales.fp4_values[r] = nullptr;
      if constexpr (is_fp4(kFormat))
        scales.fp4_values[r] = kScaleTables.fp4[rows.scales[r * rows.scale_stride + index]];
      if constexpr (has_tiles(kFormat))
        scales.factors[r] = code_factor(kFormat) * tile_scale<kFormat>(tile_scales[r], index);
    }
    return scales;
  }

  // One vector of columns: x [kTokens] in natural order, weights(r) as the decoder gives them.
  template <class Weights>
  KVASIR_INLINE void add(Vec (&x)[kTokens], const Scales& scales, const Weights& weights) {
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      if constexpr (is_fp4(kFormat)) x[t] = arrange_for_fp4(x[t]);
      if constexpr (kScalesTokens) x[t] = x[t] * broadcast(scales.factors[0]);
    }
    KVASIR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      Vec w = weights(r);
      if constexpr (has_tiles(kFormat) && !kScalesTokens) w = w * broadcast(scales.factors[r]);
      KVASIR_UNROLL
      for (int t = 0; t < kTokens; ++t) sums[r][t] = fma(w, x[t], sums[r][t]);
    }
  }

  KVASIR_INLINE void add_whole(int64_t k, const Scales& scales) {
    Vec x[kTokens];
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t) x[t] = load(args.x + t * args.x_stride + k);
    add(x, scales, [&](int r) KVASIR_LAMBDA_INLINE {
      return Format::whole(rows.codes + r * rows.stride, k, scales.fp4_values[r]);
    });
  }

  KVASIR_INLINE void add_partial(int64_t k, const Scales& scales, int64_t count) {
    Vec x[kTokens];
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t)
      x[t] = load(args.x + t * args.x_stride + k, first_lanes(count));
    add(x, scales, [&](int r) KVASIR_LAMBDA_INLINE {
      return Format::partial(rows.codes + r * rows.stride, k, scales.fp4_values[r], count);
    });
  }

  // Asks for the same columns of the next block of rows: its lines arrive while this one is summed.
  // Rows that lie apart are each followed by the next block's, so what comes next lies ahead.
  // (Beyond the matrix a prefetch does nothing.)
  KVASIR_INLINE void prefetch_next_rows(int64_t column) const {
    constexpr int kForReading = 0;
    constexpr int kIntoSecondLevel = 2;
    constexpr int64_t kChunkBytes = chunk_cols(kFormat) * bits_of_code(kFormat) / 8;
    KVASIR_UNROLL
    for (int64_t r = 0; r < kRows; ++r) {
      KVASIR_UNROLL
      for (int64_t byte = 0; byte < kChunkBytes; byte += 64) {
        const uint8_t* line =
            rows.codes + column * bits_of_code(kFormat) / 8 + byte +
            (kIsFar ? r * rows.stride + kFarAheadBytes : (r + kRows) * rows.stride);
        __builtin_prefetch(line, kForReading, kIntoSecondLevel);
      }
    }
  }

  // Columns [begin, end), begin a multiple of kDotCols.
  KVASIR_INLINE void add_cols(int64_t begin, int64_t end) {
    constexpr int64_t kChunk = chunk_cols(kFormat);
    const int64_t step = cols_of_scale<kFormat>(args.weight);
    for (; begin + step <= end; begin += step) {
      const Scales scales = load_scales(begin);
      prefetch_next_rows(begin);
      if constexpr (kChunk <= 4 * kLanes) {
        KVASIR_UNROLL
        for (int64_t k = 0; k < kChunk; k += kLanes) add_whole(begin + k, scales);
      } else {
        for (int64_t k = begin; k < begin + step; k += kLanes) add_whole(k, scales);
      }
    }
    if (begin == end) return;
    const Scales scales = load_scales(begin);
    for (; begin + kLanes <= end; begin += kLanes) add_whole(begin, scales);
    if (begin < end) add_partial(begin, scales, end - begin);
  }

  // Stores the sums, or adds them to those of earlier columns, and begins anew.
  KVASIR_INLINE void flush(int64_t row, bool is_first) {
    KVASIR_UNROLL
    for (int r = 0; r < kRows; r += 4) {
      KVASIR_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        Vec four[4];
        KVASIR_UNROLL
        for (int i = 0; i < 4; ++i) {
          four[i] = r + i < kRows ? sums[r + i < kRows ? r + i : 0][t] : zero();
          if constexpr (is_fp4(kFormat)) four[i] = restore_from_fp4(four[i]);
          if (r + i < kRows) sums[r + i < kRows ? r + i : 0][t] = zero();
        }
        const FourFloats four_sums = reduce_add_4(four[0], four[1], four[2], four[3]);
        float* y = args.y + t * args.y_stride + row + r * row_gap;
        if constexpr (kIsFar) {
          put_apart(four_sums, smaller(4, kRows - r), is_first, y);
        } else {
          put_four(four_sums, smaller(4, kRows - r), is_first, y);
        }
      }
    }
  }

  KVASIR_INLINE void put_apart(FourFloats four, int64_t row_count, bool is_first, float* y) {
    float values[4];
    store_four(values, four);
    for (int64_t r = 0; r < row_count; ++r) {
      float& target = y[r * row_gap];
      target = is_first ? values[r] : target + values[r];
    }
  }
};

template <WeightFormat kFormat, int kRows, int kTokens, DirectKind kKind>
void direct_block(const MatmulArgs& args, int64_t row, int64_t row_gap = 1) {
  DirectBlock<kFormat, kRows, kTokens, kKind> block(args, row, row_gap);
  for (int64_t k = 0; k < args.weight.cols; k += kDotCols) {
    block.add_cols(k, smaller(k + kDotCols, args.weight.cols));
    block.flush(row, k == 0);
  }
}

// The largest scale of the rows' tiles, or infinity if one is not a number or negative. 0 for
// formats without tiles.
template <WeightFormat kFormat>
float largest_tile_scale(const WeightMatrix& weight, int64_t row_begin, int64_t row_end) {
  float largest = 0;
  if constexpr (has_tiles(kFormat)) {
    const int64_t count = scale_index<kFormat>(weight, weight.cols - 1) + 1;
    const int64_t tile_end = tile_row<kFormat>(weight, row_end - 1) + 1;
    for (int64_t row = tile_row<kFormat>(weight, row_begin); row < tile_end; ++row) {
      const auto* scales = reinterpret_cast<const uint8_t*>(weight.scales) +
                           row * weight.scale_cols * scale_bytes(kFormat);
      for (int64_t tile = 0; tile < count; ++tile) {
        const float scale = tile_scale<kFormat>(scales, tile);
        if (!(scale >= 0)) return __builtin_inff();
        largest = scale > largest ? scale : largest;
      }
    }
  }
  return largest;
}

// Up to here kFp8Factor times a scale, or times a scale and a token's value, is a float32.
constexpr float kFactorLimit = 0x1p7f;

// Whether multiplying the tokens by kFp8Factor and a scale up to `largest_scale` is exact.
KVASIR_INLINE bool can_scale_tokens(const MatmulArgs& args, float largest_scale) {
  constexpr float kSmallest = 0x1p-100f;
  Vec largest = zero();
  Vec smallest = broadcast(1.0f);
  for (int64_t t = 0; t < args.token_count; ++t) {
    const float* x = args.x + t * args.x_stride;
    for_each_vec(args.weight.cols, [&](int64_t k, auto mask) KVASIR_LAMBDA_INLINE {
      const Vec magnitude = abs(load(x + k, mask));
      largest = max(largest, magnitude);
      smallest = min(smallest, select_less(zero(), magnitude, magnitude, smallest));
    });
  }
  return reduce_max(largest) * largest_scale < kFactorLimit &&
         -reduce_max(zero() - smallest) >= kSmallest;
}

template <WeightFormat kFormat, int kTokens>
void near_matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float largest_scale) {
  constexpr int kRows = kDirectRows[kTokens];
  constexpr DirectKind kNear = DirectKind::kNear;
  constexpr DirectKind kScaled =
      kFormat == WeightFormat::kFp8ScaleE8m0 ? DirectKind::kScalesTokens : kNear;
  const bool scales_tokens = kScaled != kNear && can_scale_tokens(args, largest_scale);
  int64_t row = row_begin;
  for (; row + kRows <= row_end; row += kRows) {
    const bool share_tiles =
        tile_row<kFormat>(args.weight, row) == tile_row<kFormat>(args.weight, row + kRows - 1);
    if (scales_tokens && share_tiles) {
      direct_block<kFormat, kRows, kTokens, kScaled>(args, row);
    } else {
      direct_block<kFormat, kRows, kTokens, kNear>(args, row);
    }
  }
  for (; row < row_end; ++row) direct_block<kFormat, 1, kTokens, kNear>(args, row);
}

// The rows in a few equal parts, each of which is read from its begin to its end. So memory
// sees few streams that are long, and the processor fetches them ahead. Rows that follow each
// other, side by side, are streams that break off at the end of each row. Measured with one token
// and BF16: 1.25 times as fast. Returns the first row that is left.
template <WeightFormat kFormat, int kTokens>
int64_t far_matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end) {
  constexpr int kRows = kDirectRows[kTokens] < kFarRowsMax ? kDirectRows[kTokens] : kFarRowsMax;
  const int64_t part_rows = (row_end - row_begin) / kRows;
  const int64_t part_bytes = part_rows * codes_of_row<kFormat>(args.weight, 0).stride;
  if (args.weight.cols * kTokens > kFarFloatsMax || part_bytes < kFarBytesMin) return row_begin;
  for (int64_t row = row_begin; row < row_begin + part_rows; ++row)
    direct_block<kFormat, kRows, kTokens, DirectKind::kFar>(args, row, part_rows);
  return row_begin + part_rows * kRows;
}

template <WeightFormat kFormat, int kTokens>
void direct_matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end,
                   float largest_scale) {
  if constexpr (!has_tiles(kFormat) && !is_fp4(kFormat))
    row_begin = far_matmul<kFormat, kTokens>(args, row_begin, row_end);
  near_matmul<kFormat, kTokens>(args, row_begin, row_end, largest_scale);
}

// ---- many tokens

// Columns [col_begin, col_end) of a row, padded to a multiple of kLanes.
template <WeightFormat kFormat>
void decode_cols(const WeightMatrix& weight, int64_t row_index, int64_t col_begin, int64_t col_end,
                 float* target) {
  const int64_t step = cols_of_scale<kFormat>(weight);
  const RowCodes row = codes_of_row<kFormat>(weight, row_index);
  for (int64_t begin = col_begin; begin < col_end; begin += step) {
    const int64_t index = scale_index<kFormat>(weight, begin);
    const float* fp4_values = is_fp4(kFormat) ? kScaleTables.fp4[row.scales[index]] : nullptr;
    const float scale = has_tiles(kFormat) ? tile_scale<kFormat>(row.scales, index) : 1.0f;
    const int64_t end = smaller(begin + step, col_end);
    for (int64_t k = begin; k < end; k += kLanes) {
      Vec w = k + kLanes <= end ? Decoder<kFormat>::whole(row.codes, k, fp4_values)
                                : Decoder<kFormat>::partial(row.codes, k, fp4_values, end - k);
      // Two steps: the product of the factors may be beyond float32.
      if constexpr (has_tiles(kFormat)) w = w * broadcast(code_factor(kFormat)) * broadcast(scale);
      if constexpr (is_fp4(kFormat)) w = restore_from_fp4(w);
      store(target + k - col_begin, w);
    }
  }
}

constexpr int64_t kDirectTokensMax = sizeof(kDirectRows) / sizeof(int) - 1;

template <WeightFormat kFormat>
void matmul_format(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch) {
  if (row_begin >= row_end) return;
  if (args.token_count > kDirectTokensMax)
    return panel_matmul(args, row_begin, row_end, scratch, decode_cols<kFormat>);
  const float largest_scale = largest_tile_scale<kFormat>(args.weight, row_begin, row_end);
  // Such scales need the two steps in which panels are decoded.
  if (!(largest_scale < kFactorLimit))
    return panel_matmul(args, row_begin, row_end, scratch, decode_cols<kFormat>);
  switch (args.token_count) {
    case 1:
      return direct_matmul<kFormat, 1>(args, row_begin, row_end, largest_scale);
    case 2:
      return direct_matmul<kFormat, 2>(args, row_begin, row_end, largest_scale);
    case 3:
      if constexpr (kDirectTokensMax >= 3)
        return direct_matmul<kFormat, 3>(args, row_begin, row_end, largest_scale);
      break;
    case 4:
      if constexpr (kDirectTokensMax >= 4)
        return direct_matmul<kFormat, 4>(args, row_begin, row_end, largest_scale);
      break;
    default:
      break;
  }
}

void matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch) {
  switch (args.weight.format) {
    case WeightFormat::kF32:
      return matmul_format<WeightFormat::kF32>(args, row_begin, row_end, scratch);
    case WeightFormat::kF16:
      return matmul_format<WeightFormat::kF16>(args, row_begin, row_end, scratch);
    case WeightFormat::kBf16:
      return matmul_format<WeightFormat::kBf16>(args, row_begin, row_end, scratch);
    case WeightFormat::kFp8ScaleE8m0:
      return matmul_format<WeightFormat::kFp8ScaleE8m0>(args, row_begin, row_end, scratch);
    case WeightFormat::kFp8ScaleF32:
      return matmul_format<WeightFormat::kFp8ScaleF32>(args, row_begin, row_end, scratch);
    case WeightFormat::kInt8ScaleF32:
      return matmul_format<WeightFormat::kInt8ScaleF32>(args, row_begin, row_end, scratch);
    case WeightFormat::kFp4ScaleE8m0:
      return matmul_format<WeightFormat::kFp4ScaleE8m0>(args, row_begin, row_end, scratch);
    case WeightFormat::kBlocks:
      return block_matmul(args, row_begin, row_end, scratch);
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
