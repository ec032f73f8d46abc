// MadeUpRows writes the rows and index keys of a cache of DeepSeek-V4-Flash geometry, and
// MadeUpQueries draws what its layers ask of the keys. No model computes them; the work on the
// cache takes as long all the same. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "kernels/kernels.h"
#include "kv/sequence.h"
#include "model/deepseek_v4/geometry.h"

namespace kvasir::bench {

// Heads of the model's indexer.
inline constexpr int64_t kFlashIndexHeads = 64;

// Returns a draw from a distribution near enough to the normal one: the sum of twelve uniform draws
// less six.
float normal(Random& random);

// Rows are drawn from a pool of encoded ones; keys are all different, but for their scales.
class MadeUpRows {
 public:
  // The layout outlives the rows.
  MadeUpRows(const kv::CacheLayout& layout, const kernels::KernelTable& table);

  // Writes all rows and keys that the tokens [begin, end) complete.
  void write(kv::Sequence& sequence, int64_t begin, int64_t end);

 private:
  void write_key(std::byte* key);

  const kv::CacheLayout& layout_;
  model::deepseek_v4::Geometry geometry_;
  Random random_{3};
  std::vector<std::byte> rows_;  // of the one format of all compressed rows
  int64_t row_bytes_ = 0;
  std::vector<std::byte> key_;  // of values around 1
};

// A layer's query has one part that stays and one that is each token's own.
class MadeUpQueries {
 public:
  // correlation: of any two tokens' queries in a layer, from 0 to 1.
  MadeUpQueries(const model::deepseek_v4::Geometry& geometry, double correlation);

  // Returns the next token's query. [index heads * dim]; it stays until the next call.
  std::span<const float> next(int64_t layer);

 private:
  float lasting_share_;
  float fresh_share_;
  Random random_{5};
  std::vector<std::vector<float>> lasting_;  // [layers]
  std::vector<float> query_;
};

}  // namespace kvasir::bench
