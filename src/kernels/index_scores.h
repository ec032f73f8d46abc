// IndexScoreArgs say which index keys are scored for which tokens (KernelTable::index_score). They
// own nothing; the functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/codecs/codec.h"

namespace kvasir::kernels {

// Index scores (section 5): scores[j] = sum_h head_weights[h] * max(0, q[h] . key[j]), of one token
// or of several for the same keys. index_queries_at_once are fastest.
struct IndexScoreArgs {
  RowFormat format;
  int64_t head_count = 0;
  int64_t query_count = 1;              // tokens
  const std::byte* query = nullptr;     // [query_count, index_query_bytes], what
                                        // encode_index_query wrote; best on 64 bytes
  const float* head_weights = nullptr;  // [query_count, head_count]
  const std::byte* keys = nullptr;      // [key_count, format.bytes()], contiguous
  int64_t key_count = 0;
  float* scores = nullptr;   // [query_count, key_count], row stride score_stride
  int64_t score_stride = 0;  // of several tokens
  // The keys of the next call, as many as of this one. They are fetched meanwhile. May be nullptr.
  const std::byte* keys_ahead = nullptr;
};

// What a query takes, for every instruction set.
int64_t index_query_bytes(const RowFormat& format, int64_t head_count);
// How many tokens with so many heads index_score takes at once: at most kIndexQueriesMax, and one
// where a token's heads are work enough. For example 8 heads: 8, 64 heads: 1.
int64_t index_queries_at_once(int64_t head_count);

}  // namespace kvasir::kernels
