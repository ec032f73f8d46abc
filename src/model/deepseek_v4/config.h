// A Config holds what a DeepSeek-V4 config.json or the keys of a GGUF file say, checked, with every
// accepted alias resolved.
// A plain value. The letters in comments are those of docs/deepseek_v4.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"
#include "ops/rope.h"

namespace kvasir::model::deepseek_v4 {

enum class LayerKind : uint8_t {
  kWindow,  // ratio 0: raw window only
  kCsa,     // ratio 4: compressed sparse attention, rows picked by an indexer
  kHca,     // ratio 128: heavily compressed attention, all rows attended
};

inline constexpr int64_t kCsaRatio = 4;
inline constexpr int64_t kHcaRatio = 128;

struct Config {
  int64_t vocab_size = 0;   // V
  int64_t hidden_size = 0;  // D
  int64_t layer_count = 0;
  int64_t hash_layer_count = 0;     // the first layers route by token id
  int64_t head_count = 0;           // H
  int64_t head_dim = 0;             // d
  int64_t rope_dim = 0;             // r, the last dims of a head
  int64_t query_rank = 0;           // Rq
  int64_t output_group_count = 0;   // G
  int64_t output_rank = 0;          // Ro, per group
  int64_t window = 0;               // w, raw rows per layer
  int64_t index_head_count = 0;     // Hi; 0 when no layer is CSA and the config leaves it out
  int64_t index_head_dim = 0;       // di
  int64_t index_top_k = 0;          // K
  int64_t expert_count = 0;         // E
  int64_t experts_per_token = 0;    // e
  int64_t expert_width = 0;         // F
  int64_t shared_expert_count = 0;  // the shared expert is shared_expert_count * F wide
  int64_t stream_count = 0;         // h
  int64_t sinkhorn_iterations = 0;
  int64_t max_position_count = 0;  // as RoPE scaling leaves it (context_limit.h); 0: not said
  float hyper_eps = 0;
  float norm_eps = 0;
  float routed_scale = 0;
  float swiglu_limit = 0;  // infinity when the config has none, or 0
  bool norm_topk_prob = true;
  bool tie_word_embeddings = false;
  ops::RopeSettings window_rope;  // layers of kind kWindow
  ops::RopeSettings
      compressed_rope;  // all other layers: queries, raw rows, compressed rows and index alike
  std::vector<LayerKind> layers;  // [layer_count]
  int64_t bos_token_id = 0;
  std::vector<int64_t> eos_token_ids;
};

// Returns whether a config names this architecture, by model_type or, without one, by its class; or
// whether it is the keys of a GGUF file that do.
bool runs(const Json& root);

// `where` names the file in messages. Errors: a missing, mistyped or absurd field (every size is
// bounded, so that products of sizes fit in int64), an unsupported scoring function.
// REQUIRES: root is an object.
Result<Config> read_config(const Json& root, std::string_view where);

// Returns whether the keys of a GGUF file name this architecture.
bool runs_gguf(const Json& keys);

// Whether a GGUF file has a tensor of that name.
using HasTensor = std::function<bool(const std::string& stored_name)>;
// The same of the keys of a GGUF file. Whether the last of its blocks are those of a draft model,
// its tensors say. REQUIRES: keys is an object.
Result<Config> read_gguf_config(const Json& keys, std::string_view where,
                                const HasTensor& has_tensor);

// Reads only what the size of a cache depends on: layer_count, layers, head_dim, rope_dim, window,
// index_head_dim and index_top_k, max_position_count. Everything else stays zero. kAppended adds
// the layers of the draft model, which compress_ratios lists behind the others. Errors: as above,
// for these fields.
enum class DraftLayers : uint8_t { kLeftOut, kAppended };
Result<Config> read_cache_config(const Json& root, std::string_view where, DraftLayers drafts);

}  // namespace kvasir::model::deepseek_v4
