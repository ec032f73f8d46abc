// A KernelTable holds every arithmetic loop of the engine, once for each instruction set. The
// formulas are those of docs/deepseek_v4.md.
//
// SAME BITS: the numbers of an output come from one fixed order of operations. It depends on the
// inputs of that output alone: not on how many tokens, rows or heads share the call, on the place
// within the call, on alignment, or on the thread. So every function here may be cut into any
// pieces (ranges of tokens, rows or heads) without changing one bit. All instruction sets give the
// same bits (equal_bits_test); `ref`, the plain loops, is what they are tested against.
//
// All functions are reentrant, allocate nothing and take unaligned pointers. Strides count floats.
// Inputs are finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/codecs/codec.h"
#include "kernels/index_scores.h"
#include "kernels/integer_products.h"
#include "kernels/weight_matrix.h"

namespace kvasir::kernels {

// hyper_expand holds at most so many residual streams at once.
inline constexpr int64_t kStreamCountMax = 16;

// y[t, o] = sum_k W[o, k] * x[t, k]   for t in [0, token_count), o in [row_begin, row_end). y and x
// do not overlap. Ranges of 64 rows and more are fastest.
struct MatmulArgs {
  WeightMatrix weight;       // [rows, cols]
  const float* x = nullptr;  // [token_count, cols], row stride x_stride
  int64_t x_stride = 0;
  float* y = nullptr;  // [token_count, rows], row stride y_stride
  int64_t y_stride = 0;
  int64_t token_count = 0;
};

// Rows [begin, end) of a list.
struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// Attention of queries over a list of rows (deepseek_v4.md section 3, points 3 and 4):
//   s[i, j] = scale * q[i] . key[j], softly capped where soft_cap is not 0: cap * tanh(s / cap)
//   out[i] = sum_j exp(s[i, j]) value[j] / (exp(sinks[i]) + sum_j exp(s[i, j]))
// Order: j ascending as listed, in tiles of kAttendTileRows that begin at the list's begin. A query
// is a head of a token. Which others share the call changes no bit, and neither do rows of the list
// that a query does not see, as long as its first row lies at the same place of a tile.
struct AttendArgs {
  RowFormat format;                          // of a key
  const std::byte* const* rows = nullptr;    // [row_count] encoded keys
  const std::byte* const* values = nullptr;  // [row_count] encoded values, of the keys' codec;
                                             // null: the first numbers of a key are its value
  int64_t value_dim = 0;
  // Rows may hold several vectors one after another, each for queries of its own: then [queries] is
  // [vector_count, queries], but for `seen`, and ranges of queries are those of each vector.
  int64_t vector_count = 1;
  int64_t queries_per_vector = 0;  // where there are several
  int64_t row_count = 0;           // >= 1
  int64_t ahead_count = 0;  // so many of the next call's rows follow in the lists, to be fetched
  // The first so many rows of the list are of a format of their own, of the keys' dim. Such lists
  // have rows of one vector that are keys and values at once.
  int64_t leading_count = 0;
  RowFormat leading_format;
  const RowRange* seen = nullptr;  // [queries], none empty, begins and ends ascend; null: all rows
  const float* q = nullptr;        // [queries, dim]
  const float* sinks = nullptr;    // [queries]; null: there are none
  float scale = 0;
  float soft_cap = 0;    // 0: none
  float* out = nullptr;  // [queries, value_dim]
  // Where both are given, the rows are a part of those that the queries see: out stays undivided,
  // and the largest score and the sum of exp(s - largest) come out here. [queries]
  float* maxima = nullptr;
  float* sums = nullptr;
  float* scratch = nullptr;  // [attend_scratch_floats], private to the call
};

// The same of the rows of one coded block, all of which every query sees, of keys and values that
// are multiplied as they are coded (can_attend_coded). Queries and weights become integers of 16
// bits there, each relative to its largest; sums of their products with codes are exact.
struct AttendCodedArgs {
  CodedRows keys;
  const std::byte* key_codes = nullptr;
  CodedRows values;
  const std::byte* value_codes = nullptr;
  // Those of the next call. They are fetched meanwhile. May be nullptr.
  const std::byte* key_codes_ahead = nullptr;
  const std::byte* value_codes_ahead = nullptr;
  const float* q = nullptr;  // [query_count, keys.shape.width]
  int64_t query_count = 0;
  float scale = 0;
  float soft_cap = 0;        // 0: none
  float* out = nullptr;      // [query_count, values.shape.width], undivided
  float* maxima = nullptr;   // [query_count]
  float* sums = nullptr;     // [query_count]
  float* scratch = nullptr;  // [attend_coded_scratch_floats], private to the call
};

// What attend gives of parts of the rows, query by query.
struct AttendedPart {
  float* out = nullptr;     // [queries, value_dim]
  float* maxima = nullptr;  // [queries]
  float* sums = nullptr;    // [queries]
};

// What a gated or plain layer does with its products, by the names of published configs.
enum class Activation : uint8_t {
  kSilu,          // x / (1 + e^-x)
  kGeluTanh,      // gelu_new, gelu_pytorch_tanh: x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  kGelu,          // x / 2 (1 + erf(x / sqrt(2)))
  kRelu,          // max(x, 0)
  kClampedSwish,  // x / (1 + e^(-1.702 x)) with x at most `limit`; times (1 + up), not up
};

struct ActivateArgs {
  Activation activation = Activation::kSilu;
  const float* gate = nullptr;  // [size]
  const float* up = nullptr;    // [size]; null: a plain layer, f(gate) is all
  // gate is cut at it, up at it and its negative.
  float limit = std::numeric_limits<float>::infinity();
  float weight = 1;  // of the product
  int64_t size = 0;
  float* out = nullptr;  // [size]; may be gate or up
};

// One compressed row before its norm (section 4): out[i] = sum_e softmax_e(gates[e][i]) *
// values[e][i]. Order: e ascending. entries whose gate is minus infinity are not listed.
struct PoolArgs {
  const float* const* values = nullptr;  // [entry_count] pointers to [width]
  const float* const* gates =
      nullptr;  // [entry_count] pointers to [width], position bias already added
  int64_t entry_count = 0;
  int64_t width = 0;
  float* out = nullptr;  // [width]
};

// Mixing weights of the hyper-connections (section 2) for each token, h = stream_count:
// pre[t, i], post[t, i], combine[t, i, j] from mix [t, (2 + h) * h] = Fn x, NOT yet multiplied by
// the token's rsqrt(mean(x^2) + norm_eps), which is inv_rms[t].
struct HyperMixArgs {
  const float* mix = nullptr;      // [token_count, (2 + h) * h]
  const float* inv_rms = nullptr;  // [token_count]
  const float* base = nullptr;     // [(2 + h) * h]
  const float* scale = nullptr;    // [3]: pre, post, combine
  int64_t token_count = 0;
  int64_t stream_count = 0;
  int iterations = 0;
  float eps = 0;
  float* pre = nullptr;      // [token_count, h]
  float* post = nullptr;     // [token_count, h]
  float* combine = nullptr;  // [token_count, h (source), h (target)]
};

struct KernelTable {
  const char* name;

  // scratch: [matmul_scratch_floats(cols)], private to the call.
  void (*matmul)(const MatmulArgs& args, int64_t row_begin, int64_t row_end, float* scratch);

  // Of integers: integer_products.h.
  void (*round_activations)(const float* x, int64_t cols, int bytes, std::byte* groups);
  void (*integer_matmul)(const IntegerMatmulArgs& args, int64_t row_begin, int64_t row_end,
                         uint8_t* scratch);
  // out = x * rsqrt(mean(x^2) + eps) * weight; weight may be null (all ones); out may be x.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t size, float* out);
  // out = (x - mean(x)) * rsqrt(mean((x - mean(x))^2) + eps) * weight + bias; bias may be null.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps,
                     int64_t size, float* out);
  // Returns rsqrt(mean(x^2) + eps).
  float (*inverse_rms)(const float* x, float eps, int64_t size);

  // Rotates adjacent pairs in place: (a, b) -> (a c - b s, a s + b c). cos, sin [size / 2]; the
  // inverse rotation is asked for with negated sin.
  void (*rope)(float* x, const float* cos, const float* sin, int64_t size);

  // The same for pairs half of `size` apart: (x[i], x[i + size / 2]).
  void (*rope_halves)(float* x, const float* cos, const float* sin, int64_t size);

  // x <- H x / sqrt(size) with the Walsh-Hadamard matrix in natural order. REQUIRES: size a power
  // of two.
  void (*hadamard)(float* x, int64_t size);

  // out = f(gate) * up * weight
  void (*activate)(const ActivateArgs& args);

  void (*pool)(const PoolArgs& args);

  // Queries [query_begin, query_end).
  void (*attend)(const AttendArgs& args, int64_t query_begin, int64_t query_end);
  // REQUIRES: can_attend_coded
  void (*attend_coded)(const AttendCodedArgs& args);
  // whole <- what attend would have given of its rows and those of `later`. A whole without rows
  // has zeros and maxima of minus infinity; with a sink its maximum is that and its sum is 1.
  void (*join_attended)(const AttendedPart& later, int64_t query_count, int64_t value_dim,
                        const AttendedPart& whole);
  // out /= sums
  void (*finish_attended)(const AttendedPart& whole, int64_t query_count, int64_t value_dim);

  // The index query in the form this table's index_score wants, which may be its own: q
  // [head_count, dim] (after rope and Hadamard; put on the FP4 grid for kFp4 and kInt2Keys, for
  // kSignKeys on whole numbers from -7 to 7 by a scale for each head) -> query [index_query_bytes].
  void (*encode_index_query)(const RowFormat& format, const float* q, int64_t head_count,
                             std::byte* query);
  void (*index_score)(const IndexScoreArgs& args);

  void (*encode_row)(const RowFormat& format, const float* source, std::byte* row);
  // Rows of a format -> decoded [row_count, format.dim]
  void (*decode_rows)(const RowFormat& format, const std::byte* const* rows, int64_t row_count,
                      float* decoded);
  // Coded rows of a block -> decoded [row_count, width], value for value like the codec.
  void (*decode_coded)(const CodedRows& form, const std::byte* coded, float* decoded);

  void (*hyper_mix)(const HyperMixArgs& args);
  // u[d] = sum_i pre[i] * x[i, d]   for one token, x [streams, dim]
  void (*hyper_collapse)(const float* x, const float* pre, int64_t streams, int64_t dim, float* u);
  // x'[j, d] = post[j] * o[d] + sum_i combine[i, j] * x[i, d]   in place for one token
  void (*hyper_expand)(float* x, const float* o, const float* post, const float* combine,
                       int64_t streams, int64_t dim);
};

// How large scratch and queries must be. The same for every instruction set.
int64_t matmul_scratch_floats(int64_t cols);
// value_dim: 0 where keys are values.
int64_t attend_scratch_floats(const RowFormat& format, int64_t value_dim, int64_t query_count);
// Whether attend_coded takes keys and values of these codecs and widths. The same for every
// instruction set.
bool can_attend_coded(const CodedRows& keys, const CodedRows& values);
int64_t attend_coded_scratch_floats(int64_t key_width, int64_t value_width);

// Picks the k highest of scores [count]; of equal ones the lower index. picked [min(k, count)]
// comes out in ascending order of index. -0 equals +0. Returns how many were picked. Allocates
// nothing.
int64_t top_k(const float* scores, int64_t count, int64_t k, int32_t* picked);

}  // namespace kvasir::kernels
