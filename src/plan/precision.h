// The table of precisions says how many bytes cached vectors take in each format. The bytes follow
// from the published description of a format. Scales, zero points, outliers, residual windows and
// bases are counted.
#pragma once

#include <cstdint>
#include <string_view>

#include "kvasir/plan.h"

namespace kvasir::plan {

// A NumberFormat holds a vector in blocks: `block_values` numbers take `block_bytes`. Each vector
// takes `vector_bytes` on top. q8_0, for example: 32 numbers in 34 bytes.
struct NumberFormat {
  int64_t block_values = 1;
  int64_t block_bytes = 2;
  int64_t vector_bytes = 0;
  bool spans_heads = false;  // blocks run through the heads of a token

  int64_t bytes(int64_t head_count, int64_t dim) const;
};

enum class Scheme : uint8_t {
  kNumbers,   // key and value formats as they stand
  kNative,    // what the model itself computes its cache in
  kMlaFp8,    // latents: e4m3 with a float32 scale per 128, rotary dims in bf16
  kFlashMla,  // DeepSeek-V4's native rows in blocks that are padded
  kKivi,      // keys by channel, values by token, in groups; the newest tokens in fp16
  kKvquant,   // few bits, and a hundredth of the values apart
  kLowRank,   // coordinates in a basis for each head
};

inline constexpr int64_t kKiviGroup = 32;
inline constexpr int64_t kKiviResidualTokens = 128;

struct Precision {
  std::string_view name;
  std::string_view what;
  Scheme scheme = Scheme::kNumbers;
  NumberFormat key;
  NumberFormat value;
  int64_t bits = 16;            // of KIVI and KVQuant
  bool for_heads_only = false;  // defined for keys and values, not for latents and rows
  bool runs_here = false;
};

// Returns the precision of that name; null: there is none.
const Precision* find_precision(std::string_view name);

}  // namespace kvasir::plan
