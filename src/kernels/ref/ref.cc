// These plain loops follow the statements of docs/deepseek_v4.md as closely as can be. Comments
// name its sections. Sums run in double and in index order.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "kernels/codecs/grid.h"
#include "kernels/codecs/packed.h"
#include "kernels/codecs/scale.h"
#include "kernels/kernels.h"
#include "kernels/limits.h"
#include "kernels/ref/ref_integer.h"
#include "kernels/tables.h"
#include "kernels/unaligned.h"
#include "numeric/bf16.h"
#include "numeric/f16.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

double dot_product(const float* a, const float* b, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += double{a[i]} * b[i];
  return sum;
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void matmul(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    decode_weight_row(args.weight, row, scratch);
    for (int64_t t = 0; t < args.token_count; ++t) {
      const double sum = dot_product(scratch, args.x + t * args.x_stride, args.weight.cols);
      args.y[t * args.y_stride + row] = static_cast<float>(sum);
    }
  }
}

// Section 2, last point.
float inverse_rms(const float* x, float eps, int64_t size) {
  const double mean = dot_product(x, x, size) / static_cast<double>(size);
  return static_cast<float>(1.0 / std::sqrt(mean + eps));
}

void rms_norm(const float* x, const float* weight, float eps, int64_t size, float* out) {
  const float factor = inverse_rms(x, eps, size);
  for (int64_t i = 0; i < size; ++i) out[i] = x[i] * factor * (weight != nullptr ? weight[i] : 1);
}

// Section 3, rope.
void rope(float* x, const float* cos, const float* sin, int64_t size) {
  for (int64_t i = 0; i < size / 2; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i];
    x[2 * i + 1] = a * sin[i] + b * cos[i];
  }
}

void rope_halves(float* x, const float* cos, const float* sin, int64_t size) {
  for (int64_t i = 0; i < size / 2; ++i) {
    const float a = x[i];
    const float b = x[i + size / 2];
    x[i] = a * cos[i] - b * sin[i];
    x[i + size / 2] = a * sin[i] + b * cos[i];
  }
}

void hadamard(float* x, int64_t size) {
  for (int64_t half = 1; half < size; half *= 2) {
    for (int64_t i = 0; i < size; ++i) {
      if ((i & half) != 0) continue;
      const float a = x[i];
      const float b = x[i + half];
      x[i] = a + b;
      x[i + half] = a - b;
    }
  }
  const float factor = 1.0f / std::sqrt(static_cast<float>(size));
  for (int64_t i = 0; i < size; ++i) x[i] *= factor;
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t size,
                float* out) {
  double mean = 0;
  for (int64_t i = 0; i < size; ++i) mean += x[i];
  mean /= static_cast<double>(size);
  double variance = 0;
  for (int64_t i = 0; i < size; ++i) variance += (x[i] - mean) * (x[i] - mean);
  const double factor = 1.0 / std::sqrt(variance / static_cast<double>(size) + eps);
  for (int64_t i = 0; i < size; ++i) {
    const double value = (x[i] - mean) * factor * weight[i] + (bias != nullptr ? bias[i] : 0);
    out[i] = static_cast<float>(value);
  }
}

double activation_of(Activation activation, double x) {
  switch (activation) {
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kGeluTanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kGelu:
      return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kClampedSwish:
      return x * sigmoid(1.702 * x);
  }
  KVASIR_CHECK(false, "no such activation");
}

// Section 7, the expert.
void activate(const ActivateArgs& args) {
  for (int64_t i = 0; i < args.size; ++i) {
    double value = activation_of(args.activation, std::min(args.gate[i], args.limit));
    if (args.up != nullptr) {
      const double up = std::clamp(args.up[i], -args.limit, args.limit);
      value *= args.activation == Activation::kClampedSwish ? up + 1 : up;
    }
    args.out[i] = static_cast<float>(value * args.weight);
  }
}

// Section 4: one softmax per dimension over the entries' gates.
void pool(const PoolArgs& args) {
  for (int64_t i = 0; i < args.width; ++i) {
    double gate_max = -INFINITY;
    for (int64_t e = 0; e < args.entry_count; ++e)
      gate_max = std::max<double>(gate_max, args.gates[e][i]);
    double weight_sum = 0;
    double value_sum = 0;
    for (int64_t e = 0; e < args.entry_count; ++e) {
      const double weight = std::exp(args.gates[e][i] - gate_max);
      weight_sum += weight;
      value_sum += weight * args.values[e][i];
    }
    args.out[i] = static_cast<float>(value_sum / weight_sum);
  }
}

void decode_rows(const RowFormat& format, const std::byte* const* rows, int64_t row_count,
                 float* decoded) {
  for (int64_t row = 0; row < row_count; ++row) {
    decode_row(format, rows[row], decoded + row * format.dim);
  }
}

double soft_capped(double score, double cap) {
  return cap > 0 ? cap * std::tanh(score / cap) : score;
}

// Section 3, points 3 and 4, for one query. Two passes over the rows: first the largest score, then
// the sums.
void attend_one(const AttendArgs& args, int64_t vector, int64_t place) {
  const int64_t dim = args.format.dim;
  const int64_t query = vector * args.queries_per_vector + place;
  const RowFormat value_format{.codec = args.format.codec, .dim = args.value_dim};
  const int64_t key_offset = vector * args.format.bytes();
  const int64_t value_offset = vector * value_format.bytes();
  const RowRange seen = args.seen != nullptr ? args.seen[place] : RowRange{0, args.row_count};
  float* key = args.scratch;
  float* value = args.values != nullptr ? key + dim : key;
  float* out = args.out + query * args.value_dim;
  const auto score = [&](int64_t j) {
    decode_row(j < args.leading_count ? args.leading_format : args.format,
               args.rows[j] + key_offset, key);
    const double product = args.scale * dot_product(args.q + query * dim, key, dim);
    return static_cast<float>(soft_capped(product, args.soft_cap));
  };
  float score_max = args.sinks != nullptr ? args.sinks[query] : -INFINITY;
  for (int64_t j = seen.begin; j < seen.end; ++j) score_max = std::max(score_max, score(j));
  float sum = 0;
  std::fill_n(out, args.value_dim, 0.0f);
  for (int64_t j = seen.begin; j < seen.end; ++j) {
    const float weight = std::exp(score(j) - score_max);
    if (args.values != nullptr) decode_row(value_format, args.values[j] + value_offset, value);
    sum += weight;
    for (int64_t i = 0; i < args.value_dim; ++i) out[i] += weight * value[i];
  }
  if (args.sinks != nullptr) sum += std::exp(args.sinks[query] - score_max);
  if (args.sums != nullptr) {
    args.maxima[query] = score_max;
    args.sums[query] = sum;
    return;
  }
  for (int64_t i = 0; i < args.value_dim; ++i) out[i] /= sum;
}

void attend(const AttendArgs& args, int64_t query_begin, int64_t query_end) {
  for (int64_t vector = 0; vector < args.vector_count; ++vector) {
    for (int64_t query = query_begin; query < query_end; ++query) attend_one(args, vector, query);
  }
}

// Rows that are decoded first.
void attend_coded(const AttendCodedArgs& args) {
  const int64_t key_width = args.keys.shape.width;
  const int64_t value_width = args.values.shape.width;
  float* keys = args.scratch;
  float* values = keys + kCodedRows * key_width;
  float* rest = values + kCodedRows * value_width;
  decode_coded(args.keys, args.key_codes, keys);
  decode_coded(args.values, args.value_codes, values);
  std::array<const std::byte*, kCodedRows> key_rows;
  std::array<const std::byte*, kCodedRows> value_rows;
  for (int64_t row = 0; row < kCodedRows; ++row) {
    key_rows[static_cast<size_t>(row)] = reinterpret_cast<const std::byte*>(keys + row * key_width);
    value_rows[static_cast<size_t>(row)] =
        reinterpret_cast<const std::byte*>(values + row * value_width);
  }
  attend({.format = {.codec = CodecId::kF32, .dim = key_width},
          .rows = key_rows.data(),
          .values = value_rows.data(),
          .value_dim = value_width,
          .row_count = kCodedRows,
          .q = args.q,
          .scale = args.scale,
          .soft_cap = args.soft_cap,
          .out = args.out,
          .maxima = args.maxima,
          .sums = args.sums,
          .scratch = rest},
         0, args.query_count);
}

void join_attended(const AttendedPart& later, int64_t query_count, int64_t value_dim,
                   const AttendedPart& whole) {
  for (int64_t query = 0; query < query_count; ++query) {
    const float maximum = std::max(whole.maxima[query], later.maxima[query]);
    const float of_whole = std::exp(whole.maxima[query] - maximum);
    const float of_later = std::exp(later.maxima[query] - maximum);
    whole.maxima[query] = maximum;
    whole.sums[query] = whole.sums[query] * of_whole + later.sums[query] * of_later;
    for (int64_t i = query * value_dim; i < (query + 1) * value_dim; ++i) {
      whole.out[i] = whole.out[i] * of_whole + later.out[i] * of_later;
    }
  }
}

void finish_attended(const AttendedPart& whole, int64_t query_count, int64_t value_dim) {
  for (int64_t i = 0; i < query_count * value_dim; ++i) whole.out[i] /= whole.sums[i / value_dim];
}

// A head on the FP4 grid (section 6), as float32.
void put_on_fp4_grid(const float* q, int64_t dim, std::byte* out) {
  for (int64_t begin = 0; begin < dim; begin += kFp4GroupSize) {
    const int64_t end = std::min(begin + kFp4GroupSize, dim);
    const float scale = ue8m0_decode(fp4_grid_scale(largest_magnitude(q + begin, end - begin)));
    for (int64_t i = begin; i < end; ++i) {
      store_unaligned(out + 4 * i, fp4_decode(fp4_encode(q[i] / scale)) * scale);
    }
  }
}

// A head as whole numbers from -7 to 7 by one scale, as float32.
void put_on_even_grid(const float* q, int64_t dim, std::byte* out) {
  const float scale = largest_magnitude(q, dim) / 7;
  for (int64_t i = 0; i < dim; ++i) {
    const float number = std::clamp(std::nearbyint(q[i] / divisor_of(scale)), -7.0f, 7.0f);
    store_unaligned(out + 4 * i, number * scale);
  }
}

// The query [heads, dim] on the grid that goes with the keys.
void encode_index_query(const RowFormat& format, const float* q, int64_t head_count,
                        std::byte* query) {
  const int64_t dim = format.dim;
  for (int64_t h = 0; h < head_count; ++h, q += dim, query += 4 * dim) {
    switch (format.codec) {
      case CodecId::kFp4:
      case CodecId::kInt2Keys:
        put_on_fp4_grid(q, dim, query);
        break;
      case CodecId::kSignKeys:
        put_on_even_grid(q, dim, query);
        break;
      default:
        std::memcpy(query, q, static_cast<size_t>(4 * dim));
    }
  }
}

float int2_key_element(const RowFormat& format, const std::byte* key, int64_t i) {
  constexpr int64_t kGroupSize = 32;
  const int64_t groups = (format.dim + kGroupSize - 1) / kGroupSize;
  const std::byte* scale = key + packed_bytes(2, format.dim) + 2 * (i / kGroupSize);
  return static_cast<float>(code_at(2, format.dim, i, key)) * get_f16(scale) +
         get_f16(scale + 2 * groups);
}

float sign_key_element(const RowFormat& format, const std::byte* key, int64_t i) {
  const float scale = get_f16(key + packed_bytes(1, format.dim));
  return code_at(1, format.dim, i, key) != 0 ? -scale : scale;
}

float key_element(const RowFormat& format, const std::byte* key, int64_t i) {
  if (format.codec == CodecId::kF32) return load_unaligned<float>(key + 4 * i);
  if (format.codec == CodecId::kBf16) return bf16_decode(load_unaligned<uint16_t>(key + 2 * i));
  if (format.codec == CodecId::kF16) return f16_decode(load_unaligned<uint16_t>(key + 2 * i));
  if (format.codec == CodecId::kInt2Keys) return int2_key_element(format, key, i);
  if (format.codec == CodecId::kSignKeys) return sign_key_element(format, key, i);
  KVASIR_CHECK(format.codec == CodecId::kFp4, "a codec that index keys are held in");
  const auto pair = static_cast<uint8_t>(key[i / 2]);
  const std::byte scale = key[(format.dim + 1) / 2 + i / kFp4GroupSize];
  const float value = fp4_decode(static_cast<uint8_t>(i % 2 == 0 ? pair & 15 : pair >> 4));
  return value * ue8m0_decode(static_cast<uint8_t>(scale));
}

// Section 5, the score.
void score_one_query(const IndexScoreArgs& args) {
  const int64_t dim = args.format.dim;
  for (int64_t j = 0; j < args.key_count; ++j) {
    const std::byte* key = args.keys + j * args.format.bytes();
    double score = 0;
    for (int64_t h = 0; h < args.head_count; ++h) {
      double product = 0;
      for (int64_t i = 0; i < dim; ++i) {
        product += double{load_unaligned<float>(args.query + 4 * (h * dim + i))} *
                   key_element(args.format, key, i);
      }
      score += args.head_weights[h] * std::max(0.0, product);
    }
    args.scores[j] = static_cast<float>(score);
  }
}

void index_score(const IndexScoreArgs& args) {
  IndexScoreArgs one = args;
  for (int64_t query = 0; query < args.query_count; ++query) {
    score_one_query(one);
    one.query += index_query_bytes(args.format, args.head_count);
    one.head_weights += args.head_count;
    one.scores += args.score_stride;
  }
}

// Section 2: the combine matrix, normalised by rows and columns in turn.
void normalise_rows(float* c, int64_t h, float eps) {
  for (int64_t i = 0; i < h; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < h; ++j) sum += c[i * h + j];
    for (int64_t j = 0; j < h; ++j) c[i * h + j] /= sum + eps;
  }
}

void normalise_columns(float* c, int64_t h, float eps) {
  for (int64_t j = 0; j < h; ++j) {
    float sum = 0;
    for (int64_t i = 0; i < h; ++i) sum += c[i * h + j];
    for (int64_t i = 0; i < h; ++i) c[i * h + j] /= sum + eps;
  }
}

void softmax_rows(float* c, int64_t h, float eps) {
  for (int64_t i = 0; i < h; ++i) {
    float* row = c + i * h;
    const float row_max = *std::max_element(row, row + h);
    float sum = 0;
    for (int64_t j = 0; j < h; ++j) sum += row[j] = std::exp(row[j] - row_max);
    for (int64_t j = 0; j < h; ++j) row[j] = row[j] / sum + eps;
  }
}

void hyper_mix(const HyperMixArgs& args) {
  const int64_t h = args.stream_count;
  for (int64_t t = 0; t < args.token_count; ++t) {
    const float* mix = args.mix + t * (2 + h) * h;
    const auto mixed = [&](int64_t i, int part) {
      return mix[i] * args.inv_rms[t] * args.scale[part] + args.base[i];
    };
    for (int64_t i = 0; i < h; ++i) {
      args.pre[t * h + i] = static_cast<float>(sigmoid(mixed(i, 0)) + args.eps);
      args.post[t * h + i] = static_cast<float>(2 * sigmoid(mixed(h + i, 1)));
    }
    float* c = args.combine + t * h * h;
    for (int64_t i = 0; i < h * h; ++i) c[i] = mixed(2 * h + i, 2);
    softmax_rows(c, h, args.eps);
    normalise_columns(c, h, args.eps);
    for (int i = 1; i < args.iterations; ++i) {
      normalise_rows(c, h, args.eps);
      normalise_columns(c, h, args.eps);
    }
  }
}

void hyper_collapse(const float* x, const float* pre, int64_t streams, int64_t dim, float* u) {
  for (int64_t d = 0; d < dim; ++d) {
    double sum = 0;
    for (int64_t i = 0; i < streams; ++i) sum += double{pre[i]} * x[i * dim + d];
    u[d] = static_cast<float>(sum);
  }
}

void hyper_expand(float* x, const float* o, const float* post, const float* combine,
                  int64_t streams, int64_t dim) {
  KVASIR_CHECK(streams <= kStreamCountMax, "more residual streams than the kernels hold");
  for (int64_t d = 0; d < dim; ++d) {
    double sums[kStreamCountMax];
    for (int64_t j = 0; j < streams; ++j) {
      sums[j] = double{post[j]} * o[d];
      for (int64_t i = 0; i < streams; ++i)
        sums[j] += double{combine[i * streams + j]} * x[i * dim + d];
    }
    for (int64_t j = 0; j < streams; ++j) x[j * dim + d] = static_cast<float>(sums[j]);
  }
}

}  // namespace

constinit const KernelTable kRefTable = {
    .name = "ref",
    .matmul = matmul,
    .round_activations = ref_round_activations,
    .integer_matmul = ref_integer_matmul,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .inverse_rms = inverse_rms,
    .rope = rope,
    .rope_halves = rope_halves,
    .hadamard = hadamard,
    .activate = activate,
    .pool = pool,
    .attend = attend,
    .attend_coded = attend_coded,
    .join_attended = join_attended,
    .finish_attended = finish_attended,
    .encode_index_query = encode_index_query,
    .index_score = index_score,
    .encode_row = kernels::encode_row,
    .decode_rows = decode_rows,
    .decode_coded = kernels::decode_coded,
    .hyper_mix = hyper_mix,
    .hyper_collapse = hyper_collapse,
    .hyper_expand = hyper_expand,
};

}  // namespace kvasir::kernels
